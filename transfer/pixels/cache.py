"""Working-size pixels of rows: from disk, else from memory, else decoded anew."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import psutil

from transfer.errors import ManifestError
from transfer.images.framing import Framing, frame
from transfer.images.pictures import Pixels
from transfer.pixels.pixel_store import KeptPixels
from transfer.samples.manifest import Row

_SHARE_OF_FREE_MEMORY = 0.25


class Pictures:
    """Pictures (S, S, C) by row number, framed by the one function that scoring and prediction use.

    Attributes:
        rows: what is read, by number.
        size: S, px.
        kept: what is on disk; the rest is decoded, and stays in memory as far as that allows.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        read: Callable[[Row], Pixels],
        *,
        size: int,
        framing: Framing,
        memory_bytes: int = 0,
        kept: KeptPixels | None = None,
    ) -> None:
        self.rows, self.size, self.kept = rows, size, kept
        self._read, self._framing = read, framing
        self._in_memory: dict[int, Pixels] = {}
        self._memory = memory_bytes

    def __getitem__(self, number: int) -> Pixels:
        """Return the working pixels of row `number`; not to be written to.

        Raises:
            ImageError: the file is no readable picture.
        """
        found = self.kept.get(number) if self.kept is not None else None
        if found is None:
            found = self._in_memory.get(number)
        if found is not None:
            return found
        pixels = frame(self._read(self.rows[number]), self.size, self._framing).view()
        pixels.flags.writeable = False  # as those on disk: a view must not change its picture
        # Counted anew each time, so that threads that come together do not count wrong for good.
        if (len(self._in_memory) + 1) * pixels.nbytes <= self._memory:
            self._in_memory[number] = pixels
        return pixels

    def share(self, processes: int) -> None:
        """Divide the memory that may be used among `processes` that each keep their own."""
        self._memory //= max(1, processes)


def stack(pictures: Sequence[Pixels], rows: Sequence[Row]) -> Pixels:
    """Return pictures as one array (B, S, S, C): uint8 if all are, else float32 in [0, 1].

    Raises:
        ManifestError: they do not have the same number of bands.
    """
    bands = [picture.shape[2] for picture in pictures]
    if len(set(bands)) > 1:
        odd = next(number for number, count in enumerate(bands) if count != bands[0])
        raise ManifestError(
            f"{rows[odd].path.name!r} has {bands[odd]} bands, {rows[0].path.name!r} "
            f"has {bands[0]}; all pictures of a data set need the same bands"
        )
    if len({picture.dtype for picture in pictures}) > 1:
        pictures = [as_float(picture) for picture in pictures]
    return cast("Pixels", np.stack(pictures))


def as_float(pixels: Pixels) -> Pixels:
    """Return pixels as float32 in [0, 1]."""
    if pixels.dtype == np.uint8:
        return np.divide(pixels, 255, dtype=np.float32)
    return pixels


def memory_for_pixels(wish_gb: float | None) -> int:
    """Return how many bytes decoded pixels may take: as asked, else a quarter of what is free."""
    if wish_gb is not None:
        return int(wish_gb * 1e9)
    return int(psutil.virtual_memory().available * _SHARE_OF_FREE_MEMORY)
