"""Rows of one form that were made together: an array, and a name and a checksum for each row."""

import itertools
import json
import os
import shutil
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

Names = NDArray[np.bytes_]
"""Names of rows, (n,), at most 32 bytes each; texts of digests rather than Python strings."""
NAME = np.dtype("S32")

_ROW = np.dtype([("name", NAME), ("checksum", "<u4")])
_ARRAY, _INDEX, _FORM = "rows.bin", "index.npy", "form.json"
_ZEROS = 1 << 24


@dataclass(frozen=True, eq=False)
class Block:
    """Rows (n, ...), found by name.

    Attributes:
        index: name and checksum of each row, (n,).
        rows: (n, ...), not to be written to; mapped where they are on disk.
        place: their folder; None where they are in memory only.
    """

    index: NDArray[Any]
    rows: NDArray[Any]
    place: Path | None = None

    @classmethod
    def opened(cls, place: Path) -> Self:
        """Return the block in `place`; its rows are not looked at yet.

        Raises:
            OSError, ValueError, LookupError, TypeError: it is not there, or is not whole.
        """
        form = json.loads((place / _FORM).read_text(encoding="utf-8"))
        dtype, shape = np.dtype(form["dtype"]), tuple(form["shape"])
        index = np.load(place / _INDEX)
        size = (place / _ARRAY).stat().st_size
        if index.dtype != _ROW or shape[0] != len(index):
            raise ValueError(f"{len(index)} names for rows of shape {shape}")
        if size != dtype.itemsize * int(np.prod(shape)):
            raise ValueError(f"{size} bytes for rows of shape {shape} and type {dtype}")
        # A plain array over the mapping: one of numpy's own class costs more at every look.
        return cls(index, np.asarray(np.memmap(place / _ARRAY, dtype, "r", shape=shape)), place)

    @property
    def names(self) -> Names:
        """The name of each row, (n,)."""
        names: Names = self.index["name"]
        return names

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        return np.argsort(self.names, kind="stable")

    def positions(self, names: Names) -> NDArray[np.int64]:
        """Return where the rows `names` (n,) are, (n,); -1 where they are not here."""
        if not len(self.index):
            return np.full(len(names), -1, np.int64)
        ranks = np.searchsorted(self.names, names, sorter=self._order)
        found = self._order[np.minimum(ranks, len(self.index) - 1)]
        found[self.names[found] != names] = -1
        return found

    def sound(self, position: int) -> bool:
        """Return whether a row is what was written; it is read for that."""
        return checksum(self.rows[position]) == int(self.index["checksum"][position])

    def check(self, positions: NDArray[np.int64]) -> None:
        """Read some rows.

        Raises:
            ValueError: one of them is not what was written.
        """
        for position in positions.tolist():
            if not self.sound(position):
                raise ValueError(f"row {position} does not agree with its checksum")


class Room:
    """A block in the making, with room for a number of rows; filled by any number of threads."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], folder: Path | None) -> None:
        """Reserve the room, so that a full disk is met before the work and not within it.

        Args:
            shape: of all rows together.
            dtype: of the rows.
            folder: empty, of our own; None takes memory.

        Raises:
            OSError: the disk has no room.
        """
        self._folder, self._taken = folder, itertools.count()
        self._index = np.zeros(shape[0], _ROW)
        if folder is None:
            self._rows = np.empty(shape, dtype)
            return
        with (folder / _ARRAY).open("wb") as file:
            reserve(file, dtype.itemsize * int(np.prod(shape)))
        self._rows = np.asarray(np.memmap(folder / _ARRAY, dtype, "r+", shape=shape))

    def append(self, name: bytes, row: NDArray[Any]) -> None:
        """Add a row."""
        position = next(self._taken)  # one step of the interpreter: no two threads get the same
        self._rows[position] = row
        self._index[position] = (name, checksum(row))

    def publish(self, place: Path) -> Block | None:
        """Return what was added as the block in `place`, or in memory; None if nothing was.

        Raises:
            OSError: it cannot be written; `unpublished` still has the rows.
        """
        used = self._used()
        if self._folder is None or not used:
            return self.unpublished()
        shape, dtype = (used, *self._rows.shape[1:]), self._rows.dtype
        np.save(self._folder / _INDEX, self._index[:used])
        form = json.dumps({"dtype": dtype.str, "shape": shape})
        (self._folder / _FORM).write_text(form, encoding="utf-8")
        os.truncate(self._folder / _ARRAY, dtype.itemsize * int(np.prod(shape)))
        self._folder.rename(place)
        return Block.opened(place)

    def unpublished(self) -> Block | None:
        """Return what was added as a block that no other process finds; None if nothing was."""
        used = self._used()
        return Block(self._index[:used], self._rows[:used]) if used else None

    def remove(self) -> None:
        """Give the room on disk back, unless it was published."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _used(self) -> int:
        return int(np.count_nonzero(self._index["name"]))


def as_names(texts: Iterable[str]) -> Names:
    """Return texts of at most 32 ASCII characters as names, (n,)."""
    return np.fromiter((text.encode() for text in texts), dtype=NAME)


def checksum(row: NDArray[Any]) -> int:
    """Return the CRC-32 of the bytes of a row."""
    return zlib.crc32(np.ascontiguousarray(row).data.cast("B"))


def locate(names: Names, blocks: Sequence[Block]) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """Return in which block each of `names` (n,) is, and where in it, (n,) both; -1 if in none."""
    of_block = np.full(len(names), -1, np.int16)
    positions = np.full(len(names), -1, np.int64)
    for number, block in enumerate(blocks):
        left = np.flatnonzero(of_block < 0)
        here = block.positions(names[left])
        of_block[left[here >= 0]] = number
        positions[left] = here
    return of_block, positions


def reserve(file: IO[bytes], size: int) -> None:
    """Make `file` so large, with a place on the disk for each byte.

    Raises:
        OSError: the disk has no room.
    """
    if sys.platform == "linux":
        os.posix_fallocate(file.fileno(), 0, max(1, size))
        return
    for first in range(0, size, _ZEROS):
        file.write(bytes(min(_ZEROS, size - first)))
