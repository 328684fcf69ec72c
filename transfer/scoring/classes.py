"""How much weight each class has in targets, guesses and hits, under thousands of weightings."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.samples.target import Targets
from transfer.scoring.weighting import ratio, totals

FAMILIES = ("precision", "recall", "f1")
"""Scores of one class among guesses."""


class ClassTotals(NamedTuple):
    """Total weight by class under R weightings, each (R, K)."""

    targets: NDArray[np.float64]
    """Of the rows of a class."""
    guesses: NDArray[np.float64]
    """Of the rows guessed as a class."""
    hits: NDArray[np.float64]
    """Of the rows that are both."""


def class_totals(
    targets: Targets, guesses: Targets, count: int, weights: NDArray[np.float64]
) -> ClassTotals:
    """Return the totals of `count` classes from class numbers (N,) and weights (R, N)."""
    # Only the cells of the confusion matrix that occur: R full ones of 1,000 classes do not fit.
    cells, cell_of_row = np.unique(targets * count + guesses, return_inverse=True)
    in_cells = totals(weights, cell_of_row, len(cells))
    target, guess = np.divmod(cells, count)
    return ClassTotals(
        targets=totals(in_cells, target, count),
        guesses=totals(in_cells, guess, count),
        hits=totals(in_cells * (target == guess), target, count),
    )


def scores_of_classes(
    sums: ClassTotals, guessed: NDArray[np.bool_], classes: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return `precision/CLASS`, `recall/CLASS` and `f1/CLASS` of every class, each (R,).

    The precision of a class that no row is guessed as is 0 (scikit-learn's zero_division). The
    recall of a class without rows is nan, and so is its F1 unless a row is guessed as it.

    Args:
        sums: of K classes.
        guessed: (K,), whether any row is guessed as the class.
        classes: the K names.
    """
    precision = ratio(sums.hits, sums.guesses)
    # A class that only a resample never guesses stays nan there: a 0 would pull its interval down.
    precision[:, ~guessed] = 0.0
    recall = ratio(sums.hits, sums.targets)
    f1 = ratio(2 * sums.hits, sums.targets + sums.guesses)
    return by_class(dict(zip(FAMILIES, (precision, recall, f1), strict=True)), classes)


def by_class(
    families: Mapping[str, NDArray[np.float64]], classes: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """Return scores (R, K) by family as scores (R,) by `FAMILY/CLASS`."""
    return {
        f"{family}/{name}": scores[:, number]
        for family, scores in families.items()
        for number, name in enumerate(classes)
    }
