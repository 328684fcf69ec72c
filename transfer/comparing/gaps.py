"""How far one contender is ahead of another: the gap, its interval, its p-value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from transfer.scoring.intervals import FEWEST_GROUPS

LEVEL = 0.95
"""Of the intervals; a p-value of less than the rest counts."""

SAME = 1e-12
"""A difference of less is none: sums in another order come to as much."""

_POWER = 0.8


@dataclass(frozen=True)
class Gap:
    """One score of two contenders.

    Attributes:
        score: its name.
        first, second: what each has; over several runs the mean.
        difference: second - first.
        low, high: interval of the difference; None where there is none.
        p: how often chance alone would part them as far, or further; None where nothing tells.
        corrected: the same, after the correction for everything else that was compared.
        note: how p was made, or why there is none.
        needed: rows it would take to see so small a gap in four of five cases; None where there
            is no interval to tell from, or no gap.
        lower_is_better: whoever has less of it is better.
    """

    score: str
    first: float
    second: float
    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    corrected: float | None = None
    note: str = ""
    needed: int | None = None
    lower_is_better: bool = False

    @property
    def second_leads(self) -> bool:
        """Say whether the second contender is ahead, by however little."""
        return self.difference < 0 if self.lower_is_better else self.difference > 0

    @property
    def is_reliable(self) -> bool:
        """Say whether chance is no explanation: neither p nor the interval leaves room for it."""
        if self.corrected is None or self.corrected > 1 - LEVEL:
            return False
        return self.low is None or self.high is None or self.low > 0 or self.high < 0


def share_beyond(difference: float, swapped: NDArray[np.float64]) -> float:
    """Return the p-value of a difference among those that swaps (R,) leave: two-sided.

    The difference itself counts as one of them, so that p is never 0 and rejects as often as it
    says (Phipson and Smyth 2010, doi:10.2202/1544-6115.1585). An undefined one counts against it.
    """
    beyond = ~(np.abs(swapped) < abs(difference) - SAME)
    return (1 + int(beyond.sum())) / (1 + len(swapped))


def share_across_zero(draws: NDArray[np.float64]) -> float:
    """Return twice the share of resampled differences (R,) on the rarer side of 0: two-sided.

    It is what an interval of these resamples says, as a p-value.
    """
    defined = draws[~np.isnan(draws)]
    least = min(int((defined <= SAME).sum()), int((defined >= -SAME).sum()))
    return min(1.0, 2 * (1 + least) / (1 + len(defined)))


def interval(difference: float, draws: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the percentile interval of resampled differences (R,); None where they do not differ.

    It is moved back by what resampling itself moves their mean, as that of a mean over classes is
    in `score_with_intervals`; for a mean over rows that is nothing.
    """
    defined = draws[~np.isnan(draws)]
    if math.isnan(difference) or not len(defined) or np.ptp(defined) < SAME:
        return None
    bias = float(defined.mean()) - difference
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(defined, (tail, 100 - tail)) - bias
    return float(low), float(high)


def rows_needed(difference: float, draws: NDArray[np.float64], rows: int) -> int | None:
    """Return how many rows would show such a difference in four of five cases, two digits of it.

    The standard error is that of the resamples (R,), and falls with the root of the rows.
    """
    error = float(np.nanstd(draws))
    if not abs(difference) > SAME or not error > SAME:
        return None
    normal = NormalDist()
    quantiles = normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(_POWER)
    needed = rows * (quantiles * error / difference) ** 2
    return int(float(f"{needed:.2g}")) if needed >= 1 else 1


def holm(p_values: Sequence[float], family: int) -> list[float]:
    """Return p-values corrected for `family` comparisons (Holm 1979), of which these are some.

    The others, whose p-values nobody knows, are taken for the larger ones, which is the strictest.

    Args:
        p_values: of the comparisons that were made.
        family: how many there were to choose from, at least as many.
    """
    corrected, highest = [1.0] * len(p_values), 0.0
    for place, number in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, (family - place) * p_values[number]))
        corrected[number] = highest
    return corrected


def gap_of_models(
    score: str,
    values: tuple[float, float],
    draws: NDArray[np.float64],
    swapped: NDArray[np.float64] | None,
    *,
    rows: int,
    groups: int,
) -> Gap:
    """Return the gap between trained networks, as other rows of the same kind would show it.

    Args:
        score: its name.
        values: of the first and of the second.
        draws: resampled differences (R,).
        swapped: differences after swaps (R,); None where the score cannot be swapped.
        rows: how many there are.
        groups: in so many groups.
    """
    difference = values[1] - values[0]
    if math.isnan(difference):
        return Gap(score, *values, difference, note="undefined on these rows")
    if abs(difference) < SAME and not np.nanmax(np.abs(draws)) > SAME:
        return Gap(score, *values, difference, p=1.0, note="the same in every resample")
    enough = groups >= FEWEST_GROUPS
    ends = interval(difference, draws) if enough else None
    if swapped is not None:
        p, note = share_beyond(difference, swapped), "swaps"
    elif enough:
        p, note = share_across_zero(draws), "resamples"
    else:
        p, note = None, f"{groups} groups; {FEWEST_GROUPS} are needed"
    low, high = ends or (None, None)
    needed = rows_needed(difference, draws, rows) if ends else None
    return Gap(score, *values, difference, low, high, p, p, note, needed)


def gap_of_recipes(
    score: str,
    values: tuple[NDArray[np.float64], NDArray[np.float64]],
    draws: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    groups: int,
) -> Gap:
    """Return the gap between recipes, as other seeds and other rows would show it.

    What the seeds vary by is seen in the runs, what the rows vary by in resamples of the groups,
    and what a seed does with its rows in both; it is counted once. (Resampling seeds and groups
    together, the pigeonhole bootstrap of Owen 2007, doi:10.1214/07-AOAS122, counts it more than
    once, and sees less than it could.) Few seeds tell how much they vary only roughly, and
    so the interval takes Student's t with as many degrees of freedom as their part leaves
    (Satterthwaite 1946, doi:10.2307/3002019).

    Args:
        score: its name.
        values: of each run of the first recipe (k,), and of the second (m,).
        draws: the same runs under the same R resamples of the groups, (k, R) and (m, R).
        groups: in so many groups are the rows.
    """
    means = (float(values[0].mean()), float(values[1].mean()))
    difference = means[1] - means[0]
    if math.isnan(difference):
        return Gap(score, *means, difference, note="undefined on these rows")
    if groups < FEWEST_GROUPS:
        note = f"{groups} groups; {FEWEST_GROUPS} are needed"
        return Gap(score, *means, difference, note=note)
    of_each = [float(each.var(ddof=1)) / len(each) for each in values]
    of_seeds, of_both = sum(of_each), sum(map(_of_seeds_with_rows, draws))
    of_rows = float(np.nanvar(draws[1].mean(axis=0) - draws[0].mean(axis=0)))
    variance = max(of_seeds + of_rows - of_both, of_seeds, of_rows)
    if variance < SAME**2:
        return Gap(score, *means, difference, p=1.0, corrected=1.0, note="the same for all seeds")
    uncertainty = (variance - of_seeds) ** 2 / (groups - 1) + sum(
        part**2 / (len(each) - 1) for part, each in zip(of_each, values, strict=True)
    )
    freedom, error = variance**2 / uncertainty, math.sqrt(variance)
    half = float(student.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * student.sf(abs(difference) / error, freedom))
    share = min(1.0, of_seeds / variance)
    note = f"seeds and rows; {share:.0%} of the variance is seen between seeds"
    return Gap(score, *means, difference, difference - half, difference + half, p, p, note)


def _of_seeds_with_rows(draws: NDArray[np.float64]) -> float:
    """Return the variance of a mean over k seeds that comes from what each does with the rows.

    It is how much resamples move a seed apart from the others, draws (k, R).
    """
    apart = draws - draws.mean(axis=0)
    return float(np.nanmean(np.nanvar(apart, axis=1))) / (len(draws) - 1)
