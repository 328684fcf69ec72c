"""Scores of who or what a picture shows, by how alike the embeddings of two pictures are."""

import numpy as np
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions
from transfer.scoring.ranking import equal_error_rate
from transfer.scoring.verification import Vectors, all_pairs, measure_pairs, unit_vectors
from transfer.scoring.weighting import ratio, totals

_NEIGHBOURS = 64  # kept sorted for each row; one that misses them all in a resample is sought alone
_ROWS_AT_ONCE = 512  # of the cosines, which all at once need not fit


def identity_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return rank-1 and the equal error rate, each (R,).

    `rank_1` is how often the nearest other picture, by the cosine of the embeddings, is of the same
    person. A row with no other picture of its person is left out, and so is one without weight; a
    row that a resample draws twice is no picture beside itself. `eer` is taken over all pairs of
    two rows, see `all_pairs`; each counts as often as `measure_pairs` says.

    Args:
        predictions: N rows with embeddings.
        weights: (R, N), not negative.

    Raises:
        ValueError: the predictions carry no embeddings.
    """
    hits, judged = _nearest_are_right(predictions, weights)
    right = (weights * hits).sum(axis=1)
    return {
        "rank_1": ratio(right, (weights * judged).sum(axis=1)),
        "eer": _equal_error_rates(predictions, weights),
    }


def identity_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `rank_1/PERSON` of everyone, (R,); nan for whom no two pictures are there."""
    hits, judged = _nearest_are_right(predictions, weights)
    count = len(predictions.classes)
    right = totals(weights * hits, predictions.targets, count)
    scores = ratio(right, totals(weights * judged, predictions.targets, count))
    return {f"rank_1/{name}": scores[:, k] for k, name in enumerate(predictions.classes)}


def comparable(predictions: Predictions) -> NDArray[np.bool_]:
    """Return which rows have another picture of their person, (N,)."""
    return np.bincount(predictions.targets)[predictions.targets] > 1


def identity_remarks(predictions: Predictions) -> dict[str, str]:
    """Return what has to be said beside a score: how many rows cannot be judged."""
    alone = int((~comparable(predictions)).sum())
    return {"rank_1": f"{alone} row(s) left out, alone of their person"} if alone else {}


def embeddings_of(predictions: Predictions) -> Vectors:
    """Return the embeddings (N, D) that identities are judged by.

    Raises:
        ValueError: the predictions carry none.
    """
    if predictions.embeddings is None:
        raise ValueError("an identity is judged by embeddings; these predictions carry none")
    return predictions.embeddings


def _neighbours(vectors: Vectors) -> NDArray[np.int64]:
    """Return the nearest other rows of each row, the nearest first: (N, at most _NEIGHBOURS)."""
    kept = min(_NEIGHBOURS, len(vectors) - 1)
    parts = [np.empty((0, kept), dtype=np.int64)]
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        cosines = vectors[start : start + _ROWS_AT_ONCE] @ vectors.T
        here = np.arange(len(cosines))
        cosines[here, start + here] = -np.inf
        nearest = np.argpartition(-cosines, kept, axis=1)[:, :kept]
        order = np.argsort(-np.take_along_axis(cosines, nearest, axis=1), axis=1, kind="stable")
        parts.append(np.take_along_axis(nearest, order, axis=1))
    return np.concatenate(parts)


def _nearest_are_right(
    predictions: Predictions, weights: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return whether the nearest other row with weight is of the same person, and who is judged.

    Both (R, N); who is not judged is not right.
    """
    targets, present = predictions.targets, weights > 0
    pictures = totals(present.astype(np.float64), targets, len(predictions.classes))
    judged = present & (pictures[:, targets] > 1)
    vectors = unit_vectors(embeddings_of(predictions))
    neighbours = _neighbours(vectors)
    hits = np.zeros_like(judged)
    draws, rows = np.nonzero(judged)
    for place in range(
        neighbours.shape[1]
    ):  # most are found at once: a resample holds two thirds of the rows
        nearest = neighbours[rows, place]
        found = present[draws, nearest]
        hits[draws[found], rows[found]] = targets[nearest[found]] == targets[rows[found]]
        draws, rows = draws[~found], rows[~found]
    for draw, row in zip(draws.tolist(), rows.tolist(), strict=True):
        others = present[draw] & (np.arange(len(targets)) != row)
        nearest = np.where(others, vectors @ vectors[row], -np.inf).argmax()
        hits[draw, row] = targets[nearest] == targets[row]
    return hits, judged


def _equal_error_rates(
    predictions: Predictions, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    pairs = all_pairs(embeddings_of(predictions), predictions.targets, resampled=len(weights) > 1)
    return measure_pairs(pairs, predictions.groups, weights, equal_error_rate)[0]
