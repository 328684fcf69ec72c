"""Deal groups of rows out to splits: classes in proportion, sizes even, no group divided."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ATTEMPTS = 10
_EVENNESS = 0.1  # what the sizes of the splits count for beside their classes


class Group(NamedTuple):
    """Rows that stay together: how many of each class, as (class number, rows), and of all.

    A row may be of several classes.
    """

    classes: list[tuple[int, int]]
    size: int


def deal(
    groups: Sequence[Group],
    shares: Sequence[float],
    held: Sequence[Sequence[int]],
    seed: int,
    *,
    sizes: Sequence[int] | None = None,
    strict: bool = True,
) -> NDArray[np.int64] | None:
    """Return the number of the split that each group goes to.

    Groups are shuffled, then dealt from large to small (by powers of two, so that chance decides
    among groups of like size), each to the split that it leaves least full: in its classes, each
    against the share of the class, and with a tenth of the weight in all rows. That is the greedy
    method of scikit-learn's `StratifiedGroupKFold`, for unequal shares; for single rows it is the
    apportionment of Webster and Sainte-Lague, which stays within one row of each share. A class of
    which only as many groups are left as there are splits without it gives one to each of them.

    Args:
        groups: in an order that does not depend on names.
        shares: of the P splits, each above 0, together 1.
        held: rows of each class that each split has already, (P, K).
        seed: moves the groups.
        sizes: rows that each split has already, (P,); unset is the sum over the classes.
        strict: every split needs every class; else the attempt that leaves the fewest gaps counts.

    Returns:
        (G,) numbers below P, or None where no attempt gave every split a group of each class,
        which can only be where groups hold several classes.
    """
    random = np.random.default_rng(seed)
    best, fewest = None, math.inf
    for _ in range(_ATTEMPTS):
        filling = _Filling(shares, held, groups, sizes)
        unavoidable = 0 if strict else filling.gaps_to_stay()
        order = random.permutation(len(groups))
        ranks = np.array([filling.magnitude(groups[number]) for number in order])
        dealt = np.zeros(len(groups), np.int64)
        for number in order[np.argsort(-ranks, kind="stable")].tolist():
            dealt[number] = filling.put(groups[number])
        gaps = filling.gaps()
        if gaps <= unavoidable:
            return dealt
        if not strict and gaps < fewest:
            best, fewest = dealt, gaps
    return best


class _Filling:
    """What the splits hold so far; `put` changes it."""

    def __init__(
        self,
        shares: Sequence[float],
        held: Sequence[Sequence[int]],
        groups: Sequence[Group],
        sizes: Sequence[int] | None,
    ) -> None:
        self._shares = shares
        self._splits = list(range(len(shares)))
        self._held = [list(rows) for rows in held]
        self._sizes = list(sizes) if sizes is not None else [sum(rows) for rows in held]
        self._totals: list[int] = [sum(rows) for rows in zip(*held, strict=True)]
        self._left = [0] * len(self._totals)  # groups that are not dealt yet, by class
        for group in groups:
            for number, rows in group.classes:
                self._totals[number] += rows
                self._left[number] += 1
        self._all = sum(self._sizes) + sum(group.size for group in groups)

    def magnitude(self, group: Group) -> int:
        """Return the power of two of the share of its classes that a group holds."""
        return math.frexp(sum(rows / self._totals[number] for number, rows in group.classes))[1]

    def gaps(self) -> int:
        """Return how many pairs of a split and a class there are without rows."""
        return sum(rows.count(0) for rows in self._held)

    def gaps_to_stay(self) -> int:
        """Return how many gaps no dealing can close, because a class has too few groups left."""
        gaps = (sum(not count for count in rows) for rows in zip(*self._held, strict=True))
        return sum(max(0, gap - left) for gap, left in zip(gaps, self._left, strict=True))

    def put(self, group: Group) -> int:
        """Put a group where it belongs, and return where that is."""
        split = min(self._open_to(group), key=lambda split: self._fullness(split, group))
        for number, rows in group.classes:
            self._held[split][number] += rows
            self._left[number] -= 1
        self._sizes[split] += group.size
        return split

    def _open_to(self, group: Group) -> list[int]:
        splits = self._splits
        for number, _ in group.classes:
            if self._left[number] <= len(self._splits):
                without = [split for split in self._splits if not self._held[split][number]]
                if without and self._left[number] <= len(without):
                    splits = [split for split in splits if split in without] or without
        return splits

    def _fullness(self, split: int, group: Group) -> float:
        held = self._held[split]
        classes = weight = 0.0
        for number, rows in group.classes:
            part = rows / self._totals[number]
            classes += part * (held[number] + rows / 2) / self._totals[number]
            weight += part
        size = weight * (self._sizes[split] + group.size / 2) / self._all
        return (classes + _EVENNESS * size) / self._shares[split]
