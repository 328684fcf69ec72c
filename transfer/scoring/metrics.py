"""Scores of predictions, under one weighting of their rows or under thousands at once."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind

Scorer = Callable[[Predictions, NDArray[np.float64]], dict[str, NDArray[np.float64]]]
"""(predictions of N rows, weights (R, N) >= 0) -> each score under each of the R weightings (R,).

A resample of the rows is a weighting by whole numbers. A score that a weighting leaves undefined
is nan there.
"""

LOWER_IS_BETTER = frozenset({"log_loss", "ece"})
"""Every other score is better when higher."""

CALIBRATION_BINS = 15
"""Bins of equal width over the confidence of the guess, in (low, high], as in Guo et al. 2017."""


def single_label_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return accuracy, balanced accuracy, macro F1, kappa and log loss, each (R,).

    Weighted and unweighted they are scikit-learn's, with these choices: balanced accuracy is the
    mean recall of the classes that have weight; macro F1 is the mean over the classes that occur
    in the rows or the guesses, whatever their weight, and 0 for one that has none (zero_division);
    kappa (Cohen 1960, doi:10.1177/001316446002000104) is 0, no agreement beyond chance, where all
    rows are of one class and guessed as it; probabilities in the log loss are clipped at the
    float32 epsilon.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
    """
    totals = _class_totals(predictions, weights)
    recall = _ratio(totals.hits, totals.targets, undefined=0.0)
    f1 = _ratio(2 * totals.hits, totals.targets + totals.guesses, undefined=0.0)
    occurring = np.union1d(predictions.targets, guesses(predictions))
    all_weight, right = totals.targets.sum(axis=1), totals.hits.sum(axis=1)
    by_chance = (totals.targets * totals.guesses).sum(axis=1)
    return {
        "accuracy": _ratio(right, all_weight),
        "balanced_accuracy": _ratio(recall.sum(axis=1), (totals.targets > 0).sum(axis=1)),
        "macro_f1": f1[:, occurring].mean(axis=1),
        "kappa": _ratio(
            all_weight * right - by_chance,
            all_weight**2 - by_chance,
            undefined=0.0 if len(occurring) == 1 else np.nan,
        ),
        "log_loss": _ratio(weights @ _log_losses(predictions), all_weight),
    }


def per_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `precision/CLASS`, `recall/CLASS` and `f1/CLASS` of every class, each (R,).

    The precision of a class that no row is guessed as is 0 (scikit-learn's zero_division). The
    recall of a class without rows is nan, and so is its F1 unless a row is guessed as it.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
    """
    totals = _class_totals(predictions, weights)
    precision = _ratio(totals.hits, totals.guesses)
    never_guessed = np.setdiff1d(np.arange(len(predictions.classes)), guesses(predictions))
    # A class that only a resample never guesses stays nan there: a 0 would pull its interval down.
    precision[:, never_guessed] = 0.0
    families = {
        "precision": precision,
        "recall": _ratio(totals.hits, totals.targets),
        "f1": _ratio(2 * totals.hits, totals.targets + totals.guesses),
    }
    return {
        f"{family}/{name}": scores[:, number]
        for family, scores in families.items()
        for number, name in enumerate(predictions.classes)
    }


SCORERS: dict[TargetKind, Scorer] = {TargetKind.SINGLE_LABEL: single_label_scores}


def scorer_for(kind: TargetKind, extra: Scorer | None) -> Scorer:
    """Return the scorer of a kind of target, joined by what a domain scores `extra`."""
    own = SCORERS[kind]
    if extra is None:
        return own
    return lambda predictions, weights: own(predictions, weights) | extra(predictions, weights)


def point_scores(predictions: Predictions, scorer: Scorer) -> dict[str, float]:
    """Return the scores of the rows as they are, each row counted once.

    A scorer that judges probabilities (it has a `log_loss`) is joined by "ece", the expected
    calibration error over `CALIBRATION_BINS` bins (Guo et al. 2017, arXiv:1706.04599).
    """
    scores = scorer(predictions, np.ones((1, len(predictions))))
    points = {name: float(values[0]) for name, values in scores.items()}
    if "log_loss" in points:
        points["ece"] = _expected_calibration_error(predictions)
    return points


def guesses(predictions: Predictions) -> NDArray[np.int64]:
    """Return the most probable class of each row, the first of equals: (N,) int64."""
    numbers: NDArray[np.int64] = predictions.probabilities.argmax(axis=1)
    return numbers


def reliability(predictions: Predictions) -> pd.DataFrame:
    """Return how right the guesses are where the network is how sure, one row per bin.

    Columns: `low` and `high`, the bin (low, high] of confidence; `rows`, how many fall into it;
    `confidence` and `accuracy`, their means, nan in an empty bin.
    """
    confidence = predictions.probabilities.max(axis=1).astype(np.float64)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.digitize(confidence, edges[1:-1], right=True)
    right = (guesses(predictions) == predictions.targets).astype(np.float64)
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "rows": rows,
            "confidence": _ratio(np.bincount(bins, confidence, CALIBRATION_BINS), rows),
            "accuracy": _ratio(np.bincount(bins, right, CALIBRATION_BINS), rows),
        }
    )


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Return how many rows of class i (down) are guessed as class j (across): (K, K) int64."""
    count = len(predictions.classes)
    cells = predictions.targets * count + guesses(predictions)
    return np.bincount(cells, minlength=count**2).reshape(count, count).astype(np.int64)


def _expected_calibration_error(predictions: Predictions) -> float:
    bins = reliability(predictions)
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float((gaps * bins["rows"]).sum() / len(predictions))


class _ClassTotals(NamedTuple):
    """Total weight by class under R weightings, each (R, K)."""

    targets: NDArray[np.float64]
    """Of the rows of a class."""
    guesses: NDArray[np.float64]
    """Of the rows guessed as a class."""
    hits: NDArray[np.float64]
    """Of the rows that are both."""


def _class_totals(predictions: Predictions, weights: NDArray[np.float64]) -> _ClassTotals:
    # Only the cells of the confusion matrix that occur: R full ones of 1,000 classes do not fit.
    count = len(predictions.classes)
    cells, cell_of_row = np.unique(
        predictions.targets * count + guesses(predictions), return_inverse=True
    )
    in_cells = _totals(weights, cell_of_row, len(cells))
    target, guess = np.divmod(cells, count)
    return _ClassTotals(
        targets=_totals(in_cells, target, count),
        guesses=_totals(in_cells, guess, count),
        hits=_totals(in_cells * (target == guess), target, count),
    )


def _totals(
    weights: NDArray[np.float64], numbers: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    """Sum the columns of `weights` (R, M) that have the same number (M,) -> (R, count)."""
    width = len(numbers)
    one_hot = csr_array((np.ones(width), numbers, np.arange(width + 1)), shape=(width, count))
    totals: NDArray[np.float64] = weights @ one_hot
    return totals


def _ratio(
    numerator: NDArray[np.float64] | NDArray[np.intp],
    denominator: NDArray[np.float64] | NDArray[np.intp],
    undefined: float = np.nan,
) -> NDArray[np.float64]:
    """Divide, and give `undefined` where the denominator is 0."""
    ratio = np.full(numerator.shape, undefined)
    np.divide(numerator, denominator, out=ratio, where=denominator != 0)
    return ratio


def _log_losses(predictions: Predictions) -> NDArray[np.float64]:
    given = predictions.probabilities[np.arange(len(predictions)), predictions.targets]
    epsilon = float(np.finfo(np.float32).eps)
    losses: NDArray[np.float64] = -np.log(np.clip(given.astype(np.float64), epsilon, 1 - epsilon))
    return losses
