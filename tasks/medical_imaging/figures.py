"""Drawings of findings: ROC, precision over recall, and what a probability is worth."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.medical_imaging.cases import Cases, Level, levels
from tasks.medical_imaging.findings import findings_of
from tasks.medical_imaging.scores import thresholds_of
from tasks.medical_imaging.settings import Settings
from transfer.drawing import BLUE, INK, LEGEND, MUTED, ORANGE, PALE_BLUE, new_figure, style
from transfer.samples.predictions import Predictions
from transfer.scoring.calibration import expected_calibration_error, reliability_bins
from transfer.scoring.operating_points import rates_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito's colours, told apart by every kind of colour vision: a curve for each finding.
_COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#56b4e9", "#e69f00", INK)

_Curve = Callable[[Cases], tuple[NDArray[np.float64], NDArray[np.float64]]]


def draw(predictions: Predictions, settings: Settings) -> dict[str, "Figure"]:
    """Return the drawings of what was said of the rows, by name."""
    findings = findings_of(predictions.classes, predictions.kind, settings.finding)
    pictures, patients = levels(predictions, findings, np.ones((1, len(predictions))))
    lines = _lines(pictures, patients)
    if not lines:
        return {}
    figures = {
        "roc": _roc(lines, _marks(pictures, predictions, settings)),
        "precision_recall": _precision_recall(lines),
    }
    if len(findings) == 1:
        figures["probability"] = _probability(pictures.cases[0])
    return figures


def _lines(pictures: Level, patients: Level) -> dict[str, Cases]:
    """Return what has a curve, by what it is called: pictures and patients, or the findings."""
    if len(pictures.cases) == 1:
        found = {"pictures": pictures.cases[0]}
        if len(patients.cases[0].truth) < len(pictures.cases[0].truth):
            found["patients"] = patients.cases[0]
    else:
        ranked = sorted(pictures.cases, key=lambda cases: -int(cases.truth.sum()))
        found = {cases.finding: cases for cases in ranked}
    both = {name: cases for name, cases in found.items() if 0 < cases.truth.mean() < 1}
    return dict(list(both.items())[: len(_COLOURS)])


def _marks(
    pictures: Level, predictions: Predictions, settings: Settings
) -> dict[str, tuple[float, float]]:
    """Return false alarms and sensitivity at the operating points of a single finding, by name."""
    if predictions.decisions is None or len(pictures.cases) > 1:
        return {}
    marks = {}
    for point, cases, name in thresholds_of(pictures, settings):
        if (threshold := predictions.decisions.by_name.get(name)) is not None:
            rates = rates_at(cases.probabilities, cases.truth, threshold, pictures.weights)
            label = f"{point.rate} {point.share:g} on {predictions.decisions.fitted_on}"
            marks[label] = (1 - float(rates.specificity[0]), float(rates.sensitivity[0]))
    return marks


def _roc(lines: dict[str, Cases], marks: dict[str, tuple[float, float]]) -> "Figure":
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415  # only a run draws

    def curve(cases: Cases) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        false, true, _ = roc_curve(cases.truth, cases.probabilities)
        return false, true

    areas = [roc_auc_score(cases.truth, cases.probabilities) for cases in lines.values()]
    figure = new_figure(620, f"ROC: {_summary('AUROC', lines, areas)}")
    axes = figure.subplots()
    style(axes, xlabel="1 - specificity: false alarms", ylabel="sensitivity: findings told")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
    _plot(axes, lines, curve, areas)
    for (label, (false, true)), marker in zip(marks.items(), "os", strict=False):
        axes.plot(false, true, marker, color=BLUE, markersize=9, fillstyle="none", label=label)
    axes.legend(loc="lower right", **LEGEND)
    return figure


def _precision_recall(lines: dict[str, Cases]) -> "Figure":
    from sklearn.metrics import (  # noqa: PLC0415  # as above
        average_precision_score,
        precision_recall_curve,
    )

    def curve(cases: Cases) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        precision, recall, _ = precision_recall_curve(cases.truth, cases.probabilities)
        return recall, precision

    areas = [average_precision_score(cases.truth, cases.probabilities) for cases in lines.values()]
    figure = new_figure(620, f"Precision and recall: {_summary('average precision', lines, areas)}")
    axes = figure.subplots()
    style(axes, xlabel="recall: findings told", ylabel="precision: right where told")
    share = float(next(iter(lines.values())).truth.mean())
    if len({cases.finding for cases in lines.values()}) == 1:
        chance = f"by chance: {share:.3f}"
        axes.axhline(share, color=MUTED, linewidth=1, linestyle="--", label=chance)
    _plot(axes, lines, curve, areas, drawstyle="steps-pre")
    axes.legend(loc="lower left", **LEGEND)
    return figure


def _plot(
    axes: "Axes",
    lines: dict[str, Cases],
    curve: _Curve,
    areas: Sequence[float],
    drawstyle: str = "default",
) -> None:
    for (name, cases), area, colour in zip(lines.items(), areas, _COLOURS, strict=False):
        label = (
            f"{len(cases.truth):,} {name}: {area:.3f}"
            if name in {"pictures", "patients"}
            else (f"{name}: {area:.3f}")
        )
        axes.plot(*curve(cases), color=colour, label=label, drawstyle=drawstyle)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")


def _summary(measure: str, lines: dict[str, Cases], areas: Sequence[float]) -> str:
    names = {cases.finding for cases in lines.values()}
    return f"{measure} {areas[0]:.3f} of {names.pop()}" if len(names) == 1 else measure


def _probability(cases: Cases) -> "Figure":
    """Draw how often the finding is there where its probability is how high."""
    bins = reliability_bins(cases.probabilities, cases.truth.astype(np.float64))
    gap = expected_calibration_error(bins)
    figure = new_figure(640, f"What a probability of {cases.finding} is worth: mean gap {gap:.3f}")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    style(upper, ylabel="share of pictures with the finding")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="as it should be")
    held = bins[bins["rows"] > 0]
    upper.plot(held["confidence"], held["accuracy"], "o-", color=BLUE, label="as it is")
    mean, share = cases.probabilities.mean(), cases.truth.mean()
    upper.plot(mean, share, "D", color=ORANGE, label=f"all: said {mean:.3f}, true {share:.3f}")
    upper.set(xlim=(0, 1), ylim=(-0.02, 1.02))
    upper.legend(**LEGEND)
    style(lower, xlabel="probability of the finding", ylabel="pictures")
    width = 0.9 * (bins["high"] - bins["low"])
    bars = lower.bar((bins["low"] + bins["high"]) / 2, bins["rows"], width, color=PALE_BLUE)
    numbers = [f"{rows:,}" if rows else "" for rows in bins["rows"]]
    lower.bar_label(bars, numbers, color=INK, fontsize=8, padding=2)
    lower.margins(y=0.25)
    return figure
