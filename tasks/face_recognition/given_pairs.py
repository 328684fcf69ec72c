"""Pairs that come with the data: pairs.txt, in the form of LFW."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.errors import ManifestError

FILE = "pairs.txt"
"""Beside folders of people. Its first line says how many folds there are and how many pairs of each
kind a fold has; `NAME 1 4` are two pictures of one person, `NAME 1 OTHER 2` of two people, and
picture 4 of NAME is the file `NAME_0004`."""

_ONE, _TWO = 3, 4  # fields of a line with one person, with two
_SHOWN = 3


class _Pair(NamedTuple):
    one: tuple[str, int]
    other: tuple[str, int]


def read_pairs(path: Path, rows: pd.DataFrame) -> list[str]:
    """Return the pairs that each row is in, `FOLD:NUMBER` each, separated by spaces.

    Args:
        path: of the file.
        rows: with `image` and `label`; pairs whose pictures are not there are passed over.

    Raises:
        ManifestError: a line is no pair, there are other than the first line says, or none of the
            pictures is there.
    """
    row_of = {
        (label, PurePosixPath(image).stem): number
        for number, (image, label) in enumerate(zip(rows["image"], rows["label"], strict=True))
    }
    ids: dict[int, list[str]] = defaultdict(list)
    for fold, number, pair in _pairs(path):
        found = [row_of.get((name, f"{name}_{picture:04d}")) for name, picture in pair]
        for row in found:
            if row is not None and None not in found:
                ids[row].append(f"{fold}:{number}")
    if not ids:
        raise ManifestError(
            f"{str(path)!r}: none of its pairs is there; picture 4 of NAME is looked for as the "
            "file NAME_0004 of the person NAME"
        )
    return [" ".join(ids[number]) for number in range(len(rows))]


def pairs_among(cells: NDArray[np.str_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of rows (2, P) of which both are there, and the fold of each (P,).

    Args:
        cells: the pairs that each row is in, as `read_pairs` gives them, (N,).
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, cell in enumerate(cells.tolist()):
        for name in cell.split():
            rows_of[name].append(row)
    whole = {name: rows for name, rows in rows_of.items() if len(rows) == 2}  # noqa: PLR2004  # a pair
    rows = np.array(list(whole.values()), np.int64).reshape(-1, 2).T
    folds = np.array([int(name.partition(":")[0]) for name in whole], np.int64)
    return rows, folds


def _pairs(path: Path) -> Iterator[tuple[int, int, _Pair]]:
    """Yield the fold and the number of each pair, and the pair."""
    lines = _lines(path)
    folds, each = _header(path, lines[0])
    body = [line for line in lines[1:] if line]
    if len(body) != 2 * folds * each:
        raise ManifestError(
            f"{str(path)!r} has {len(body)} pairs; its first line says {folds} folds of {each} "
            f"pairs of one person and {each} of two, {2 * folds * each} in all"
        )
    mistakes = [
        f"line {number}: {' '.join(fields)!r}"
        for number, fields in enumerate(body, start=2)
        if _pair(fields) is None
    ]
    if mistakes:
        raise ManifestError(
            f"{str(path)!r}: a pair is NAME 1 4, or NAME 1 OTHER 2; seen\n  "
            + "\n  ".join(mistakes[:_SHOWN])
        )
    for number, fields in enumerate(body):
        if (pair := _pair(fields)) is not None:
            yield number // (2 * each), number, pair


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{str(path)!r} cannot be read: {error}") from error
    return [line.split() for line in text.splitlines()] or [[]]


def _header(path: Path, fields: list[str]) -> tuple[int, int]:
    """Return how many folds there are, and how many pairs of each kind a fold has."""
    if not fields or not all(field.isdecimal() for field in fields) or len(fields) > 2:  # noqa: PLR2004
        raise ManifestError(
            f"{str(path)!r} starts with {' '.join(fields)!r}; it should be how many folds there "
            "are and how many pairs of each kind a fold has, as in '10 300'"
        )
    return (1, int(fields[0])) if len(fields) == 1 else (int(fields[0]), int(fields[1]))


def _pair(fields: list[str]) -> _Pair | None:
    numbers = fields[1::2] if len(fields) == _TWO else fields[1:]
    if len(fields) not in {_ONE, _TWO} or not all(number.isdecimal() for number in numbers):
        return None
    if len(fields) == _ONE:
        return _Pair((fields[0], int(fields[1])), (fields[0], int(fields[2])))
    return _Pair((fields[0], int(fields[1])), (fields[2], int(fields[3])))
