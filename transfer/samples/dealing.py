"""Deal groups of rows out to splits: classes in proportion, sizes even, no group divided."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_ATTEMPTS = 10
_EVENNESS = 0.1  # what the sizes of the splits count for beside their classes


class Group(NamedTuple):
    """Rows that stay together: how many of each class, as (class number, rows), and of all."""

    classes: list[tuple[int, int]]
    size: int


def deal(
    groups: Sequence[Group],
    shares: Sequence[float],
    held: Sequence[Sequence[int]],
    seed: int,
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

    Returns:
        (G,) numbers below P, or None where no attempt gave every split a group of each class,
        which can only be where groups hold several classes.
    """
    random = np.random.default_rng(seed)
    for _ in range(_ATTEMPTS):
        filling = _Filling(shares, held, groups)
        order = random.permutation(len(groups))
        ranks = np.array([filling.magnitude(groups[number]) for number in order])
        dealt = np.zeros(len(groups), np.int64)
        for number in order[np.argsort(-ranks, kind="stable")].tolist():
            dealt[number] = filling.put(groups[number])
        if not filling.lacks():
            return dealt
    return None


class _Filling:
    """What the splits hold so far; `put` changes it."""

    def __init__(
        self, shares: Sequence[float], held: Sequence[Sequence[int]], groups: Sequence[Group]
    ) -> None:
        self._shares = shares
        self._splits = list(range(len(shares)))
        self._held = [list(rows) for rows in held]
        self._sizes = [sum(rows) for rows in held]
        self._totals: list[int] = [sum(rows) for rows in zip(*held, strict=True)]
        self._left = [0] * len(self._totals)  # groups that are not dealt yet, by class
        for group in groups:
            for number, rows in group.classes:
                self._totals[number] += rows
                self._left[number] += 1
        self._all = sum(self._totals)

    def magnitude(self, group: Group) -> int:
        """Return the power of two of the share of its classes that a group holds."""
        return math.frexp(sum(rows / self._totals[number] for number, rows in group.classes))[1]

    def lacks(self) -> bool:
        """Say whether a split has nothing of some class."""
        return any(0 in rows for rows in self._held)

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
