"""Working-size pixels on disk: decoded once, then mapped by every run and every loader process."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from transfer.cache.block import Block, Names, locate
from transfer.cache.code import code_digest
from transfer.cache.row_store import RowStore
from transfer.images.framing import Framing, frame
from transfer.images.pictures import Pixels
from transfer.progress import Progress
from transfer.samples.inspection import pixels_digest
from transfer.samples.manifest import Row
from transfer.samples.neighbours import by_frame
from transfer.samples.side_by_side import side_by_side

Keep = Callable[[str, Pixels], bool]
"""(digest of decoded pixels, those pixels) -> whether there is room for pictures like it."""


class KeptPixels:
    """Pixels (S, S, C) by row number, mapped from disk; each is checked when it is first looked at.

    A process that gets it by pickle maps the same files.
    """

    def __init__(
        self, names: Names, blocks: Sequence[Block], lose: Callable[[Path, str], None]
    ) -> None:
        """Find the rows `names` (N,) in `blocks`; `lose` is told of one that is damaged."""
        self._names, self._blocks, self._lose = names, [*blocks], lose
        self._of_block, self._positions = locate(names, self._blocks)
        self._sound = np.zeros(len(names), np.bool_)

    def get(self, number: int) -> Pixels | None:
        """Return the pixels of row `number`, not to be written to; None where they are not kept."""
        part = int(self._of_block[number])
        if part < 0:
            return None
        block, position = self._blocks[part], int(self._positions[number])
        if not self._sound[number]:
            if not block.sound(position):
                self._forget(part)
                return None
            self._sound[number] = True
        pixels: Pixels = block.rows[position]
        return pixels

    def missing(self) -> NDArray[np.int64]:
        """Return the numbers of the rows that are not kept, one of each that are equal."""
        missing = np.flatnonzero(self._of_block < 0)
        _, first = np.unique(self._names[missing], return_index=True)
        return missing[np.sort(first)]

    def _forget(self, part: int) -> None:
        self._of_block[self._of_block == part] = -1
        place = self._blocks[part].place
        if place is not None:
            self._lose(place, "a picture does not agree with its checksum")

    def __getstate__(self) -> dict[str, Any]:
        """Return the places of the blocks instead of what is in them."""
        places = [block.place for block in self._blocks]
        return {"names": self._names, "places": places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the blocks that are still there."""
        blocks = []
        for place in state["places"]:
            with suppress(OSError):  # another process has made room: these are decoded again
                blocks.append(Block.opened(place))
        self.__init__(state["names"], blocks, _say_nothing)  # type: ignore[misc]  # as if new


class PixelStore:
    """Framed pixels on disk by the digest of the decoded ones, for one size and framing.

    So other splits, labels, folds or tasks, and files that were added, reuse what is there.
    """

    def __init__(
        self,
        size: int,
        framing: Framing,
        limit_bytes: int,
        warn: Callable[[str], None],
        cache: Path | None = None,
    ) -> None:
        """Keep pixels of `size` px on at most `limit_bytes` of disk; with 0, none.

        Args:
            size: S, px.
            framing: how a picture becomes square.
            limit_bytes: of all sizes and data sets together.
            warn: is told why pixels are not kept.
            cache: unset takes the user's own folder.
        """
        self._size, self._framing = size, framing
        self._store = RowStore("pixels", limit_bytes, warn, cache)
        made_by = f"{size} {framing} opencv {cv2.__version__} {code_digest(frame)}"
        self._key = _digest(made_by.encode())

    @contextmanager
    def keeping(self, rows: int, of: int) -> Iterator[Keep]:
        """Give what frames and keeps pictures, from any number of threads.

        What came before an interrupt is kept as well.

        Args:
            rows: how many may come.
            of: how many there are in the set.
        """
        if not self._store.limit:
            yield lambda *_: False
            return
        with self._store.writer(self._key, rows, of=of, memory=False) as writer:
            room = True

            def keep(digest: str, pixels: Pixels) -> bool:
                nonlocal room
                if room:
                    framed = frame(pixels, self._size, self._framing)
                    room = writer.append(digest.encode(), framed)
                return room

            try:
                yield keep
            finally:
                writer.publish()

    def find(self, names: Names) -> KeptPixels:
        """Return what is kept of the rows `names` (N,), the digests of their decoded pixels."""
        blocks = self._store.blocks(self._key, names, check=False)
        return KeptPixels(names, blocks, self._store.throw_away)

    def complete(
        self, names: Names, rows: Sequence[Row], read: Callable[[Row], Pixels], progress: Progress
    ) -> KeptPixels:
        """Return the pixels of rows, those that are missing decoded now, by all cores.

        Where they do not fit into the limit or on the disk, none are decoded.

        Args:
            names: digests of the decoded pixels, (N,).
            rows: the rows, N.
            read: row -> its decoded pixels.
            progress: sees a bar over the pictures that have to be decoded.

        Raises:
            ImageError: a file is no longer a readable picture.
        """
        kept = self.find(names)
        if not self._store.limit or not len(kept.missing()):
            return kept
        with self.alone(names.tobytes()):
            missing = self.find(names).missing()  # without those of a process that was faster
            with self.keeping(len(missing), len(names)) as keep:

                def decode(numbers: list[int]) -> bool:
                    for number in numbers:
                        pixels = read(rows[number])
                        if not keep(pixels_digest(pixels), pixels):  # its own: it may have changed
                            return False
                    return True

                _decode(by_frame(rows, missing.tolist()), decode, progress)
        return self.find(names)

    def alone(self, what: bytes) -> AbstractContextManager[None]:
        """Let one process at a time keep the pixels of `what`."""
        return self._store.alone(_digest(self._key.encode() + what))


def _decode(
    frames: Sequence[list[int]], decode: Callable[[list[int]], bool], progress: Progress
) -> None:
    if not frames or not decode(frames[0]):
        return
    rest = frames[1:]
    with (
        progress.step("decoding", sum(map(len, rest)), "images") as step,
        closing(side_by_side(decode, rest)) as decoded,
    ):
        for numbers, _ in zip(rest, decoded, strict=True):
            step.advance(len(numbers))


def _say_nothing(*_: object) -> None:
    """Leave it to the process that started this one."""


def _digest(what: bytes) -> str:
    return hashlib.blake2b(what, digest_size=16).hexdigest()
