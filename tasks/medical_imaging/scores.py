"""Scores of findings: how well they are ranked, and what an operating point is worth."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.medical_imaging.cases import Cases, Level, levels
from tasks.medical_imaging.findings import findings_of
from tasks.medical_imaging.settings import Settings
from transfer.samples.predictions import Predictions
from transfer.scoring.operating_points import (
    Rates,
    predictive_values,
    rates_at,
    threshold_at_sensitivity,
    threshold_at_specificity,
)
from transfer.scoring.ranking import average_precision, rank_measures, roc_area
from transfer.scoring.weighting import mean_of_defined, ratio

_Scores = dict[str, NDArray[np.float64]]


class OperatingPoint(NamedTuple):
    """Where the line is drawn: at a share of those with the finding, or of those without it."""

    rate: str
    share: float

    @property
    def name(self) -> str:
        """Its name in scores, such as at_specificity_90."""
        return f"at_{self.rate}_{100 * self.share:g}"

    def threshold(self, cases: Cases) -> float | None:
        """Return from which probability on the finding is said; None where nothing tells."""
        find = threshold_at_specificity if self.rate == "specificity" else threshold_at_sensitivity
        return find(cases.probabilities, cases.truth, self.share)


def operating_points(settings: Settings) -> tuple[OperatingPoint, OperatingPoint]:
    """Return the two points that are judged."""
    return (
        OperatingPoint("specificity", settings.at_specificity),
        OperatingPoint("sensitivity", settings.at_sensitivity),
    )


def score(
    predictions: Predictions, weights: NDArray[np.float64], settings: Settings
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of pictures, and as `patient/SCORE` those of patients, each (R,).

    `auroc`, `ap` (average precision) and `brier` (mean squared error of the probability, Brier
    1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2) need no threshold. At each operating
    point, `POINT/sensitivity`, `/specificity`, `/ppv` and `/npv` are those of its threshold, which
    was decided on other rows: they are nan where none was. Of several findings each has its scores
    as `SCORE/FINDING`, and `SCORE` is their mean over the findings that have it.

    Args:
        predictions: N pictures, with decisions.
        weights: (R, N), not negative.
        settings: of the task.
    """
    findings = findings_of(predictions.classes, predictions.kind, settings.finding)
    decided = {} if predictions.decisions is None else predictions.decisions.by_name
    scores: _Scores = {}
    for level in levels(predictions, findings, weights):
        of_cases = [_score(level, cases, decided, settings) for cases in level.cases]
        for name in of_cases[0]:
            each = [found[name] for found in of_cases]
            scores[level.prefix + name] = mean_of_defined(np.column_stack(each))
        if len(findings) > 1:
            for cases, found in zip(level.cases, of_cases, strict=True):
                scores |= {f"{level.prefix}{n}/{cases.finding}": s for n, s in found.items()}
    return scores


def decide(predictions: Predictions, settings: Settings) -> dict[str, float]:
    """Return the threshold of each operating point and finding, for pictures and for patients.

    A finding that all of the rows have, or none, has no threshold where that is what it needs.
    """
    findings = findings_of(predictions.classes, predictions.kind, settings.finding)
    return {
        name: threshold
        for level in levels(predictions, findings, np.ones((1, len(predictions))))
        for point, cases, name in thresholds_of(level, settings)
        if (threshold := point.threshold(cases)) is not None
    }


def thresholds_of(level: Level, settings: Settings) -> Iterator[tuple[OperatingPoint, Cases, str]]:
    """Yield each operating point, each finding's cases, and the name of the threshold there."""
    for point in operating_points(settings):
        for cases in level.cases:
            yield point, cases, _decision(level, point, cases)


def _decision(level: Level, point: OperatingPoint, cases: Cases) -> str:
    several = f"/{cases.finding}" if len(level.cases) > 1 else ""
    return f"{level.prefix}{point.name}{several}"


def _score(level: Level, cases: Cases, decided: Mapping[str, float], settings: Settings) -> _Scores:
    weights, weight = level.weights, level.weights.sum(axis=1)
    area, precision = rank_measures(
        cases.probabilities, cases.truth, weights, roc_area, average_precision
    )
    errors = (cases.probabilities - cases.truth) ** 2
    scores = {"auroc": area, "ap": precision, "brier": ratio(weights @ errors, weight)}
    present = ratio(weights @ cases.truth.astype(np.float64), weight)
    prevalence = present if settings.prevalence is None else settings.prevalence
    for point in operating_points(settings):
        threshold = decided.get(_decision(level, point, cases))
        rates = (
            _unknown(len(weights))
            if threshold is None
            else rates_at(cases.probabilities, cases.truth, threshold, weights)
        )
        ppv, npv = predictive_values(rates, prevalence)
        values = {**rates._asdict(), "ppv": ppv, "npv": npv}
        scores |= {f"{point.name}/{name}": value for name, value in values.items()}
    return scores


def _unknown(count: int) -> Rates:
    return Rates(np.full(count, np.nan), np.full(count, np.nan))
