"""Pictures as small grey squares, on which copies are looked for, and the views a copy may have."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from transfer.images.framing import frame
from transfer.images.pictures import Pixels

SIDE_PX = 64
"""Of a sketch."""

_BORDER_PX = 5  # what a crop to 92 % leaves aside of two sides: a cut of 90 % is near one of them

Sketch = NDArray[np.uint8]
"""(64, 64), grey."""


class View(NamedTuple):
    """The part of a picture that a copy may show: `side` px of 64 from (`top`, `left`) on."""

    side: int = SIDE_PX
    top: int = 0
    left: int = 0
    mirrored: bool = False

    def warp(self) -> NDArray[np.float32]:
        """Return the affine map (2, 3) from pixels of the view to those of the picture, px."""
        scale = self.side / SIDE_PX
        shift = (scale - 1) / 2  # pixel centres lie at halves
        return np.array(
            [[scale, 0, self.left + shift], [0, scale, self.top + shift]], dtype=np.float32
        )


_PART, _MIDDLE = SIDE_PX - _BORDER_PX, _BORDER_PX // 2
VIEWS = (
    View(),
    View(mirrored=True),
    View(_PART, _MIDDLE, _MIDDLE),
    *(View(_PART, top, left) for top in (0, _BORDER_PX) for left in (0, _BORDER_PX)),
)


def sketch(pixels: Pixels) -> Sketch:
    """Return a picture (H, W, C) as a small grey square; deep pixels over the range they have."""
    small = frame(pixels, SIDE_PX, "squash")
    if small.dtype == np.uint8 and small.shape[2] == 3:  # noqa: PLR2004  # red, green, blue
        grey: Sketch = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY)
        return grey
    mean = small.mean(axis=2, dtype=np.float32)
    if small.dtype != np.uint8:
        low, high = mean.min(), mean.max()
        mean = (mean - low) * (255 / max(1e-6, float(high - low)))
    whole: Sketch = np.rint(mean).astype(np.uint8)
    return whole
