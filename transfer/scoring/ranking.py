"""Average precision and what the ROC tells, under thousands of weightings at once.

The rows are sorted once, whatever the number of weightings. Of the sorted rows only the distinct
scores of positives matter, so that negatives between two of them are summed up in one go.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.scoring.weighting import ratio, totals

_CHUNK_BYTES = 64_000_000


class Ranked(NamedTuple):
    """Weights by score, under R weightings; M is the number of distinct scores of positives."""

    positives: NDArray[np.float64]
    """(R, M), at each score, ascending."""
    negatives: NDArray[np.float64]
    """(R, 2 M + 1): below the first score, at it, between it and the next, and so on."""


Measure = Callable[[Ranked], NDArray[np.float64]]


def rank_measures(
    scores: NDArray[np.floating],
    truth: NDArray[np.bool_],
    weights: NDArray[np.float64],
    *measures: Measure,
    columns: NDArray[np.int64] | None = None,
) -> list[NDArray[np.float64]]:
    """Return each of `measures` under each weighting, (R,).

    Args:
        scores: higher is more likely a positive, (N,), or (N, E) where a row is judged E times.
        truth: whether it is one, of the same shape.
        weights: (R, N), not negative.
        measures: `average_precision`, `roc_area`, `equal_error_rate`, `hits_at(rate)`.
        columns: of `weights`, (N,), where scores share their weights; unset is one for each.
    """
    levels = np.unique(scores[truth])
    count = len(levels)
    places = np.searchsorted(levels, scores) + np.searchsorted(levels, scores, side="right")
    # Odd places are at a level. Positives stand there alone, and are counted after the negatives.
    numbers = np.where(truth, 2 * count + 1 + places // 2, places)
    step = max(1, _CHUNK_BYTES // (8 * (3 * count + 1)))
    parts = []
    for start in range(0, len(weights), step):
        sums = totals(weights[start : start + step], numbers, 3 * count + 1, columns)
        ranked = Ranked(sums[:, 2 * count + 1 :], sums[:, : 2 * count + 1])
        parts.append([measure(ranked) for measure in measures])
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def average_precision(ranked: Ranked) -> NDArray[np.float64]:
    """Return the mean precision at the positives, (R,); nan where none has weight."""
    positives, negatives = ranked
    hits = _at_least(positives)
    false = _at_least(negatives)[:, 1::2]
    total: NDArray[np.float64] = positives.sum(axis=1)
    return ratio((positives * ratio(hits, hits + false, undefined=0.0)).sum(axis=1), total)


def roc_area(ranked: Ranked) -> NDArray[np.float64]:
    """Return how often a positive scores above a negative, ties counting half, (R,).

    It is nan where positives or negatives have no weight.
    """
    positives, negatives = ranked
    below = negatives.cumsum(axis=1)[:, :-1:2] + negatives[:, 1::2] / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return ratio((positives * below).sum(axis=1), pairs)


def equal_error_rate(ranked: Ranked) -> NDArray[np.float64]:
    """Return the error where as many positives are refused as negatives are accepted, (R,).

    It is where the ROC, drawn with straight lines, meets the diagonal of equal errors; nan where
    positives or negatives have no weight.
    """
    positives, negatives = ranked
    total, others = positives.sum(axis=1)[:, None], negatives.sum(axis=1)[:, None]
    hits, zero = _at_least(positives), np.zeros_like(total)
    # Two points for each score, from the highest: just above it, and at it.
    above = np.concatenate([hits[:, 1:], zero], axis=1)[:, : hits.shape[1]]
    taken = np.stack([hits, above], axis=2).reshape(len(hits), -1)[:, ::-1]
    refused = [zero + 1, 1 - ratio(taken, total), zero]
    accepted = [zero, ratio(_at_least(negatives)[:, :0:-1], others), zero + 1]
    refusals, accepts = np.concatenate(refused, axis=1), np.concatenate(accepted, axis=1)
    difference = accepts - refusals
    after = np.maximum((difference >= 0).argmax(axis=1), 1)
    rows = np.arange(len(after))
    first, second = difference[rows, after - 1], difference[rows, after]
    share = ratio(-first, second - first, undefined=0.0)
    crossing = accepts[rows, after - 1]
    crossing = crossing + share * (accepts[rows, after] - crossing)
    return np.where((total * others)[:, 0] > 0, crossing, np.nan)


def hits_at(rate: float) -> Measure:
    """Return what measures the most positives taken, (R,), with at most `rate` of the negatives.

    Nothing is drawn between the points of the ROC: no threshold would keep to such a promise. It is
    nan where positives or negatives have no weight.
    """

    def measure(ranked: Ranked) -> NDArray[np.float64]:
        positives, negatives = ranked
        total, others = positives.sum(axis=1), negatives.sum(axis=1)
        accepted = ratio(_at_least(negatives)[:, 1::2], others[:, None])
        taken = np.where(accepted <= rate, _at_least(positives), 0.0).max(axis=1, initial=0.0)
        return np.where(others > 0, ratio(taken, total), np.nan)

    return measure


def _at_least(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what lies at each place or above it."""
    return sums[:, ::-1].cumsum(axis=1)[:, ::-1]
