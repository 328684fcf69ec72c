"""Sums over rows, under thousands of weightings at once."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from transfer.samples.predictions import Predictions

Scorer = Callable[[Predictions, NDArray[np.float64]], dict[str, NDArray[np.float64]]]
"""(predictions of N rows, weights (R, N) >= 0) -> each score under each of the R weightings (R,).

A resample of the rows is a weighting by whole numbers. A score that a weighting leaves undefined
is nan there.
"""


def totals(
    weights: NDArray[np.float64],
    numbers: NDArray[np.int64],
    count: int,
    columns: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Sum the columns of `weights` (R, M) that have the same number (M,) -> (R, count).

    A column may have several numbers, (M, E); it enters the sum of each of them.

    Args:
        weights: (R, M).
        numbers: below `count`.
        count: how many sums.
        columns: whose weight stands for each number, where many share one: (P,) beside numbers
            (P,); unset is one after the other.
    """
    if columns is not None:
        ones = np.ones(len(numbers))
        sparse = csr_array((ones, (columns, numbers)), shape=(weights.shape[1], count))
    else:
        width, each = len(numbers), numbers[0].size if len(numbers) else 1
        ends = np.arange(width + 1) * each
        sparse = csr_array((np.ones(numbers.size), numbers.ravel(), ends), shape=(width, count))
    sums: NDArray[np.float64] = weights @ sparse
    return sums


def ratio(
    numerator: NDArray[np.float64] | NDArray[np.intp],
    denominator: NDArray[np.float64] | NDArray[np.intp],
    undefined: float = np.nan,
) -> NDArray[np.float64]:
    """Divide, and give `undefined` where the denominator is 0."""
    quotient = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), undefined)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def mean_of_defined(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of scores (R, K) over those that are numbers: (R,); nan where none is."""
    defined = ~np.isnan(scores)
    return ratio(np.where(defined, scores, 0.0).sum(axis=1), defined.sum(axis=1))


def clip_probabilities(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Keep probabilities the float32 epsilon away from 0 and 1, so that logarithms are finite."""
    epsilon = float(np.finfo(np.float32).eps)
    clipped: NDArray[np.float64] = np.clip(probabilities.astype(np.float64), epsilon, 1 - epsilon)
    return clipped
