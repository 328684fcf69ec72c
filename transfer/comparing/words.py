"""A comparison in words: what is better, by how much, and about what that says something."""

import math
from dataclasses import dataclass
from typing import Literal

from transfer.comparing.gaps import SAME, Gap

Claim = Literal["models", "recipes"]
"""What a verdict is about: networks as they were trained, or the recipes they were trained by."""

FEWEST_SEEDS = 5
"""Runs of a recipe, on seeds of their own, from which on a verdict can be about recipes."""

_PLAIN = frozenset({"log_loss", "mean_absolute_error"})
_FINE, _FINEST = 0.5, 0.05  # points under which a second, and a third digit is said
_MILLION = 1_000_000


@dataclass(frozen=True)
class Circumstances:
    """What a verdict has to know besides the gap.

    Attributes:
        first, second: names of the contenders.
        claim: what it is about.
        runs: how many each of them has.
        split: whose rows they answered.
        rows: how many of them.
        family: how many comparisons p is corrected for.
        same: they say the same of every row.
    """

    first: str
    second: str
    claim: Claim
    runs: tuple[int, int]
    split: str
    rows: int
    family: int
    same: bool = False


def verdict(gap: Gap, about: Circumstances) -> str:
    """Return what the gap of a headline score means, in one or two sentences."""
    if about.same:
        return f"No difference: {about.first} and {about.second} say the same of every row."
    if math.isnan(gap.difference):
        return f"No verdict: {gap.score} is undefined on these rows."
    if gap.p is None:
        return f"No verdict: {gap.note}."
    return f"{_finding(gap, about)} {_scope(about)}"


def amount(gap: Gap, difference: float) -> str:
    """Return how much of a score a difference is, without its sign: "1.9 points"."""
    value, unit = (abs(difference) * scale_of(gap), unit_of(gap))
    return f"{value:.{digits_of(gap)}f}{unit}"


def span(gap: Gap) -> str:
    """Return the interval of the difference, in the direction of who leads, or ""."""
    if gap.low is None or gap.high is None:
        return ""
    ends = (gap.low, gap.high) if gap.difference >= 0 else (-gap.high, -gap.low)
    low, high = (f"{end * scale_of(gap):z.{digits_of(gap)}f}" for end in ends)
    return f" [{low}, {high}]"


def scale_of(gap: Gap) -> float:
    """Return by what a score is multiplied for a person: shares are said in points of 100."""
    return 1.0 if _is_plain(gap) else 100.0


def unit_of(gap: Gap) -> str:
    """Return the unit of a difference, with a space before it, or ""."""
    return "" if _is_plain(gap) else " points"


def digits_of(gap: Gap) -> int:
    """Return how many digits behind the point a difference needs."""
    if _is_plain(gap):
        return 3
    widest = 100 * max(abs(gap.difference), (gap.high or 0.0) - (gap.low or 0.0))
    return 1 if widest >= _FINE else 2 if widest >= _FINEST else 3


def p_value(p: float | None) -> str:
    """Return a p-value as people write it."""
    if p is None:
        return ""
    return "under 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"  # noqa: PLR2004


def _is_plain(gap: Gap) -> bool:
    if any(part in _PLAIN for part in gap.score.split("/")):
        return True
    return max(abs(gap.first), abs(gap.second)) > 1


def _finding(gap: Gap, about: Circumstances) -> str:
    better = about.second if gap.second_leads else about.first
    by = f"{amount(gap, gap.difference)} of {gap.score}{span(gap)}, p {p_value(gap.p)}"
    lower = f" (its {gap.score} is lower)" if gap.lower_is_better else ""
    several = f", {p_value(gap.corrected)} corrected for {about.family} comparisons"
    corrected = several if about.family > 1 else ""
    if gap.is_reliable:
        return f"{better} is better by {by}{corrected}{lower}."
    if abs(gap.difference) < SAME:
        return f"No difference you could rely on: {gap.score} is the same{span(gap)}."
    ahead = f"No difference you could rely on: {better} is ahead by {by}{corrected}{lower}"
    return f"{ahead}{_needed(gap, about)}."


def _needed(gap: Gap, about: Circumstances) -> str:
    if about.claim == "recipes":
        return "; more seeds or more rows would tell"
    if gap.needed is None or gap.needed <= about.rows:  # what the correction took away
        return ""
    if gap.needed >= _MILLION:
        return f"; so small a one takes millions of {about.split} images to see"
    return f"; you would need about {gap.needed:,} {about.split} images to see one this small"


def _scope(about: Circumstances) -> str:
    if about.claim == "recipes":
        runs = " and ".join(map(str, about.runs))
        return f"This is about the two recipes, over {runs} seeds."
    count = sum(about.runs)
    trained = "these two trained models" if count == 2 else f"these {count} trained models"  # noqa: PLR2004
    return (
        f"This is about {trained}, not about their recipes: that takes {FEWEST_SEEDS} seeds or "
        "more of each."
    )
