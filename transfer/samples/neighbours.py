"""Rows that lie in one frame, so that one thread reads them one after the other."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from transfer.samples.manifest import Row


def by_frame(rows: Sequence[Row], numbers: Iterable[int]) -> list[list[int]]:
    """Return row numbers in the order given, those of neighbours in one frame together.

    Rows without a box have nothing to share, and stay alone.
    """
    of_frame = groupby(((number, rows[number]) for number in numbers), key=_frame)
    return [[number for number, _ in part] for _, part in of_frame]


def _frame(numbered: tuple[int, Row]) -> tuple[object, ...]:
    number, row = numbered
    return (number,) if row.box is None else (row.path, row.record)
