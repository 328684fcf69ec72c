"""Rows of arrays on disk, each found by its name; any number of processes share them."""

import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from filelock import BaseFileLock, FileLock, Timeout
from numpy.typing import NDArray

from transfer.cache.block import Block, Names, Room
from transfer.cache.folder import folder_of, make_private

_UNFINISHED = ".unfinished-"
_ABANDONED_SECONDS = 86_400  # what is still unfinished after a day never will be
_SPARE_BYTES = 1_000_000_000  # checkpoints and the run store need some of the disk as well


class RowStore:
    """Blocks of rows under keys, in a folder of bounded size; the least recently used go first.

    It only saves time. A block is published whole or not at all; one that is damaged is thrown
    away, and said. Rows are mapped into memory, not read into it.
    """

    def __init__(
        self,
        what: Literal["pixels", "features"],
        limit_bytes: int,
        warn: Callable[[str], None],
        cache: Path | None = None,
    ) -> None:
        """Keep `what` on at most `limit_bytes` of disk; with 0, nothing.

        Args:
            what: is kept; `machine.WHAT_gb` is the setting that people know the limit by.
            limit_bytes: of all blocks together.
            warn: is told what is wrong.
            cache: unset takes the user's own folder.
        """
        self.folder, self.limit = folder_of(what, cache), limit_bytes
        self._what, self._warn = what, warn

    def blocks(self, key: str, names: Names, *, check: bool = True) -> list[Block]:
        """Return the blocks under `key` that hold any of `names` (n,).

        With `check` those rows are read, and a block with a damaged one is thrown away. Whoever
        does without asks `Block.sound` about each row that it takes.
        """
        if not self.limit:
            return []
        found, wanted = [], np.unique(names)
        for place in sorted((self.folder / key).glob("[!.]*")):
            try:
                block = Block.opened(place)
                here = np.flatnonzero(np.isin(block.names, wanted))
                if check:
                    block.check(here)
            except FileNotFoundError:  # another process has just made room
                continue
            except (OSError, ValueError, LookupError, TypeError) as error:
                self.throw_away(place, str(error))
                continue
            if len(here):
                found.append(block)
                with suppress(OSError):
                    os.utime(place)  # its turn to go comes later
        return found

    def writer(self, key: str, rows: int, *, of: int, memory: bool) -> "Writer":
        """Return what takes up to `rows` rows of a set of `of`, to keep them under `key`.

        With `memory`, those that the disk does not take come back as blocks in memory.
        """
        return Writer(self, key, rows, of, memory=memory)

    def throw_away(self, place: Path, reason: str) -> None:
        """Remove a damaged block, and say so."""
        self._warn(f"{self._what} in {str(place)!r} are damaged and made anew: {reason}")
        remove(place)

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Let one process at a time make what is missing under `key`; the others wait for it."""
        lock = self._locked(key)
        try:
            yield
        finally:
            if lock is not None:
                lock.release()

    def _locked(self, key: str) -> BaseFileLock | None:
        """Return the lock of `key`, held; None where nothing can be written to wait for."""
        if not self.limit:
            return None
        try:
            make_private(self.folder)
            lock = FileLock(self.folder / f"{key}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self._warn(f"another process is making the same {self._what}; waiting for it")
                lock.acquire()
        except OSError:
            return None
        return lock

    def reserve(self, key: str, size: int, of_set: int) -> Path | None:
        """Return a new folder with room for `size` bytes; None, with the reason said, if not.

        Args:
            key: under which it will be published.
            size: bytes.
            of_set: what all rows of the set take, bytes; they are kept together or not at all.
        """
        if not self.limit:
            return None
        if of_set > self.limit:
            self._warn(
                f"{self._what} take {of_set / 1e9:.1f} GB, more than machine.{self._what}_gb = "
                f"{self.limit / 1e9:g}, and are not kept on disk"
            )
            return None
        try:
            make_private(self.folder)
            self._make_room(size)
            _check_disk(self.folder, size)
            (self.folder / key).mkdir(exist_ok=True)
            return Path(tempfile.mkdtemp(dir=self.folder / key, prefix=_UNFINISHED))
        except OSError as error:
            self.refuse(error)
            return None

    def refuse(self, error: OSError) -> None:
        """Say why what came is not kept."""
        self._warn(f"{self._what} are not kept in {str(self.folder)!r}: {error}")

    def new_place(self, key: str) -> Path:
        """Return where another block under `key` may be."""
        return self.folder / key / uuid.uuid4().hex

    def _make_room(self, size: int) -> None:
        """Remove blocks, the least recently used first, until `size` more are within the limit."""
        blocks, total = [], size
        for place in self.folder.glob("*/*"):
            with suppress(OSError):
                if place.name.startswith(_UNFINISHED):
                    if _last_written(place) < time.time() - _ABANDONED_SECONDS:
                        remove(place)
                else:
                    blocks.append((place.stat().st_mtime_ns, place))
                total += _size(place)
        for _, place in sorted(blocks):
            if total <= self.limit:
                break
            total -= _size(place)
            remove(place)


class Writer:
    """Rows on their way into a store, from any number of threads; a block for each form they have.

    What the store does not take stays in memory, if that is wanted.
    """

    def __init__(self, store: RowStore, key: str, rows: int, of: int, *, memory: bool) -> None:
        """Expect up to `rows` rows of a set of `of`."""
        self._store, self._key, self._memory = store, key, memory
        self._rows, self._of = rows, of
        self._rooms: dict[tuple[str, tuple[int, ...]], Room | None] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin; what is not published when it ends is lost."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        for room in self._rooms.values():
            if room is not None:
                room.remove()

    def append(self, name: bytes, row: NDArray[Any]) -> bool:
        """Take a row of any shape and type; return whether there is room for rows like it."""
        form = (row.dtype.str, row.shape)
        with self._lock:
            if form not in self._rooms:
                self._rooms[form] = self._reserve(row)
            room = self._rooms[form]
        if room is not None:
            room.append(name, row)
        return room is not None

    def publish(self) -> list[Block]:
        """Keep what came, and return it."""
        rooms = (room for room in self._rooms.values() if room is not None)
        return [block for room in rooms if (block := self._published(room)) is not None]

    def _reserve(self, row: NDArray[Any]) -> Room | None:
        shape = (self._rows, *row.shape)
        folder = self._store.reserve(self._key, self._rows * row.nbytes, self._of * row.nbytes)
        if folder is not None:
            try:
                return Room(shape, row.dtype, folder)
            except OSError as error:
                remove(folder)
                self._store.refuse(error)
        return Room(shape, row.dtype, None) if self._memory else None

    def _published(self, room: Room) -> Block | None:
        try:
            return room.publish(self._store.new_place(self._key))
        except OSError as error:
            self._store.refuse(error)
            return room.unpublished()


def remove(place: Path) -> None:
    """Remove a block; whoever has it mapped keeps it, and a system that forbids that as well."""
    shutil.rmtree(place, ignore_errors=True)


def _check_disk(folder: Path, size: int) -> None:
    if (free := shutil.disk_usage(folder).free) < size + _SPARE_BYTES:
        raise OSError(f"they take {size / 1e9:.1f} GB, and the disk has {free / 1e9:.1f} GB left")


def _last_written(place: Path) -> float:
    return max(path.stat().st_mtime for path in (place, *place.iterdir()))


def _size(place: Path) -> int:
    return sum(file.stat().st_size for file in place.iterdir())
