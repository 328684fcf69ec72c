"""Where the line is drawn between finding and no finding, and what it means on either side."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.scoring.weighting import ratio

_OVER_ONE = 1.001  # half way from a probability of 1 to it, nothing is said


class Rates(NamedTuple):
    """How often those with the finding are told so, and those without it are not, each (R,)."""

    sensitivity: NDArray[np.float64]
    specificity: NDArray[np.float64]


def threshold_at_specificity(
    probabilities: NDArray[np.floating], truth: NDArray[np.bool_], specificity: float
) -> float | None:
    """Return the lowest threshold that leaves this share of those without the finding below it.

    It lies half way between two probabilities that occur, so that rounding decides nothing. None
    where all rows have the finding.

    Args:
        probabilities: of the finding, (N,).
        truth: whether it is there, (N,).
        specificity: share, in [0, 1].
    """
    if truth.all():
        return None
    limits = _limits(probabilities)
    below = _below(limits, probabilities[~truth])
    return float(limits[_reaches(below, len(truth) - truth.sum(), specificity).argmax()])


def threshold_at_sensitivity(
    probabilities: NDArray[np.floating], truth: NDArray[np.bool_], sensitivity: float
) -> float | None:
    """Return the highest threshold that leaves this share of those with the finding above it.

    See `threshold_at_specificity`; None where no row has the finding.
    """
    if not truth.any():
        return None
    limits, count = _limits(probabilities), truth.sum()
    hits = count - _below(limits, probabilities[truth])
    return float(limits[_reaches(hits, count, sensitivity)][-1])


def rates_at(
    probabilities: NDArray[np.floating],
    truth: NDArray[np.bool_],
    threshold: float,
    weights: NDArray[np.float64],
) -> Rates:
    """Return sensitivity and specificity where the finding is said from `threshold` on.

    Args:
        probabilities: of the finding, (N,).
        truth: whether it is there, (N,).
        threshold: as from above.
        weights: (R, N), not negative. A rate of no weight is nan.
    """
    said = probabilities >= threshold
    cells = np.stack([truth, truth & said, ~truth, ~truth & ~said], axis=1).astype(np.float64)
    present, hits, absent, spared = (weights @ cells).T
    return Rates(ratio(hits, present), ratio(spared, absent))


def predictive_values(
    rates: Rates, prevalence: float | NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often the finding is there where it is said, and not where it is not, each (R,).

    By Bayes' rule from rates and prevalence (Altman and Bland 1994, doi:10.1136/bmj.309.6947.102):
    the share of rows with the finding in a test set is seldom that of the people asked about. It
    is nan where nobody is told so.

    Args:
        rates: of R weightings.
        prevalence: share of those with the finding, in [0, 1]: one, or (R,).
    """
    sensitivity, specificity = rates
    true, false = prevalence * sensitivity, (1 - prevalence) * (1 - specificity)
    cleared, missed = (1 - prevalence) * specificity, prevalence * (1 - sensitivity)
    return ratio(true, true + false), ratio(cleared, cleared + missed)


def _limits(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a threshold below all that occur, one between each two, and one above, ascending."""
    levels = np.unique(probabilities.astype(np.float64))
    limits: NDArray[np.float64] = np.append(levels, _OVER_ONE) + np.append(0.0, levels)
    return limits / 2


def _below(limits: NDArray[np.float64], probabilities: NDArray[np.floating]) -> NDArray[np.intp]:
    return np.searchsorted(np.sort(probabilities.astype(np.float64)), limits)


def _reaches(count: NDArray[np.intp], of: int, share: float) -> NDArray[np.bool_]:
    # 0.95 of 20 is 19: what is lost to binary fractions must not ask for one more.
    return np.asarray(count >= share * of - 1e-9)
