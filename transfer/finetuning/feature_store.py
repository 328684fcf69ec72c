"""Arrays of features on disk, a row at a time by its name; any number of processes share them."""

import os
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout
from numpy.typing import NDArray

from transfer.errors import OutputError
from transfer.samples.new_folder import new_folder

_FOLDER = "features-2"  # another number for another form, framing, or use of the backbone
_ROWS, _FEATURES = "rows.npy", "features.npy"
_ROW = np.dtype([("name", "S32"), ("checksum", "<u4")])
_ABANDONED_SECONDS = 86_400  # a folder that is still unfinished after a day never will be


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that were computed together: their names, and features (n, D) float16 or float32."""

    names: tuple[str, ...]
    features: NDArray[Any]


class FeatureStore:
    """Blocks of rows under keys, in a folder of bounded size; the least recently used go first.

    It only saves time. A block is written whole or not at all; one that is damaged is thrown away,
    and said. Features are mapped into memory, not read into it.
    """

    def __init__(self, folder: Path, limit_bytes: int, warn: Callable[[str], None]) -> None:
        """Keep blocks below `folder`, `limit_bytes` in all; `warn` is told what is wrong."""
        self._folder, self._limit, self._warn = folder / _FOLDER, limit_bytes, warn

    def blocks(self, key: str, names: Sequence[str]) -> list[Block]:
        """Return the blocks under `key` that hold any of `names`, those rows checked."""
        wanted, found = set(names), []
        for place in sorted((self._folder / key).glob("*")):
            try:
                block = _opened(place, wanted)
            except FileNotFoundError:  # another process has just made room
                continue
            except (OSError, ValueError, EOFError) as error:
                self._warn(f"features in {str(place)!r} are damaged and computed anew: {error}")
                _remove(place)
                continue
            if block is not None:
                found.append(block)
                with suppress(OSError):
                    os.utime(place)  # its turn to go comes later
        return found

    def add(self, key: str, block: Block) -> Block:
        """Keep `block` under `key`; return it mapped into memory, or as it is if it cannot be."""
        if block.features.nbytes > self._limit:
            self._warn(
                f"features take {block.features.nbytes / 1e9:.1f} GB, more than "
                f"machine.features_gb = {self._limit / 1e9:g}, and are not kept"
            )
        if not block.names or block.features.nbytes > self._limit:
            return block
        rows = np.array(
            [
                (name.encode(), _checksum(row))
                for name, row in zip(block.names, block.features, strict=True)
            ],
            dtype=_ROW,
        )
        place = self._folder / key / uuid.uuid4().hex
        try:
            with new_folder(place) as unfinished:
                np.save(unfinished / _FEATURES, block.features)
                np.save(unfinished / _ROWS, rows)
            self._make_room(place)
            return Block(block.names, np.load(place / _FEATURES, mmap_mode="c"))
        except (OutputError, OSError) as error:
            self._warn(f"features are not kept: {error}")
            return block

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Let one process at a time compute what is missing under `key`; the others wait for it."""
        lock = self._locked(key)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _locked(self, key: str) -> BaseFileLock | None:
        """Return the lock of `key`, held; None where nothing can be written to wait for."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / f"{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._warn("another process is computing the same features; waiting for it")
                lock.acquire()
        except OSError:
            return None
        return lock

    def _make_room(self, newest: Path) -> None:
        """Remove blocks, the least recently used first, until the rest is within the limit."""
        for left in self._folder.glob("*/.unfinished-*"):
            with suppress(OSError):
                if left.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    shutil.rmtree(left)
        used = []
        for place in self._folder.glob("*/[!.]*"):
            with suppress(OSError):
                size = sum(file.stat().st_size for file in place.iterdir())
                used.append((place.stat().st_mtime_ns, size, place))
        total = sum(size for _, size, _ in used)
        for _, size, place in sorted(used):
            if total <= self._limit:
                break
            if place != newest:
                _remove(place)
                total -= size


def _opened(place: Path, wanted: set[str]) -> Block | None:
    """Return the block in `place`, None where it has none of the rows.

    Raises:
        ValueError: the files do not fit each other, or a wanted row is not what was written.
    """
    if place.name.startswith("."):
        return None
    rows = np.load(place / _ROWS)
    if rows.dtype != _ROW:
        raise ValueError(f"{_ROWS} holds {rows.dtype}")
    names = tuple(name.decode() for name in rows["name"].tolist())
    here = [position for position, name in enumerate(names) if name in wanted]
    if not here:
        return None
    features = np.load(place / _FEATURES, mmap_mode="c")  # whoever writes to it writes to a copy
    if features.ndim != 2 or len(features) != len(names):  # noqa: PLR2004  # rows and features
        raise ValueError(f"{len(names)} names for features of shape {features.shape}")
    for position in here:
        if _checksum(features[position]) != rows["checksum"][position]:
            raise ValueError(f"row {position} does not agree with its checksum")
    return Block(names, features)


def _checksum(row: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(row).data.cast("B"))


def _remove(place: Path) -> None:
    # Whoever has the files mapped keeps them; where a system forbids that, they stay.
    shutil.rmtree(place, ignore_errors=True)
