"""How medical pictures are judged: all that belongs to their scores."""

from functools import partial

import numpy as np

from tasks.medical_imaging.cases import PATIENT, Level, levels
from tasks.medical_imaging.figures import draw
from tasks.medical_imaging.findings import findings_of
from tasks.medical_imaging.scores import decide, operating_points, score, thresholds_of
from tasks.medical_imaging.settings import Settings
from transfer import Judge, TargetKind
from transfer.samples.predictions import Predictions


def judge(settings: Settings) -> Judge:
    """Return how pictures are judged under these settings."""
    first, second = operating_points(settings)
    return Judge(
        scores=partial(score, settings=settings),
        decide=partial(decide, settings=settings),
        remarks=partial(remarks, settings=settings),
        figures=partial(draw, settings=settings),
        shown=(
            "auroc", f"{PATIENT}auroc", "ap", f"{first.name}/sensitivity",
            f"{second.name}/specificity", "brier",
        ),
        lower_is_better=frozenset({"brier"}),
        # Of a rare finding the most probable class is never the finding; grades have their kappa.
        headline=None if settings.target is TargetKind.ORDINAL else "auroc",
    )  # fmt: skip


def remarks(predictions: Predictions, settings: Settings) -> dict[str, str]:
    """Return what has to be said beside a score: of what, of whom, and what was fitted where."""
    findings = findings_of(predictions.classes, predictions.kind, settings.finding)
    said: dict[str, str] = {}
    for level in levels(predictions, findings, np.ones((1, len(predictions)))):
        said[f"{level.prefix}auroc"] = _about(level)
        said |= _about_points(level, predictions, settings)
    return said


def _about(level: Level) -> str:
    names = [cases.finding for cases in level.cases]
    what = f"of {names[0]}" if len(names) == 1 else f"mean over {len(names)} findings"
    if level.prefix != PATIENT:
        return what
    return f"{what}; {len(level.cases[0].truth):,} patients, each by the mean over their pictures"


def _about_points(level: Level, predictions: Predictions, settings: Settings) -> dict[str, str]:
    """Return where the threshold of each operating point comes from, and the prevalence."""
    said: dict[str, str] = {}
    decisions, several = predictions.decisions, len(level.cases) > 1
    for point, cases, name in thresholds_of(level, settings):
        threshold = None if decisions is None else decisions.by_name.get(name)
        where = "nowhere: no rows tell" if threshold is None else f"from {threshold:.3f} on"
        if decisions is not None and threshold is not None:
            where += f", fitted on {decisions.fitted_on}"
        share = settings.prevalence or float(cases.truth.mean())
        among = "" if settings.prevalence else ", that of these rows"
        end = f"/{cases.finding}" if several else ""
        for rate in ("sensitivity", "specificity"):
            said[f"{level.prefix}{point.name}/{rate}{end}"] = f"said {where}"
        for value in ("ppv", "npv"):
            key = f"{level.prefix}{point.name}/{value}{end}"
            said[key] = f"said {where}; at a prevalence of {share:.3g}{among}"
    return said
