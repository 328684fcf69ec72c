"""A part of a picture: the box around an object."""

import math
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from transfer.errors import ImageError
from transfer.images.pictures import Pixels

_LYING = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange rows and columns


class Box(NamedTuple):
    """Edges of a part of a picture, px from its upper left corner: 0, 0, 1, 1 is one pixel."""

    left: float
    top: float
    right: float
    bottom: float

    def __str__(self) -> str:
        """Return the edges as text; it is part of the names of rows."""
        return ",".join(str(float(edge)) for edge in self)

    @property
    def shorter_side(self) -> float:
        """The smaller of width and height, px."""
        return min(self.right - self.left, self.bottom - self.top)


def crop(pixels: Pixels, box: Box, margin: float = 0.0) -> Pixels:
    """Return the part of pixels (H, W, C) in `box` and around it, a copy, as (h, w, C).

    Edges between pixels move outwards. What would lie beyond the picture is left out rather than
    made up; making the part square is the work of framing.

    Args:
        pixels: the picture.
        box: the object.
        margin: share of the width added on the left and on the right, of the height at the top and
            at the bottom.

    Raises:
        ImageError: nothing of the box lies in the picture.
    """
    height, width = pixels.shape[:2]
    across, down = margin * (box.right - box.left), margin * (box.bottom - box.top)
    left, right = max(0, math.floor(box.left - across)), min(width, math.ceil(box.right + across))
    top, bottom = max(0, math.floor(box.top - down)), min(height, math.ceil(box.bottom + down))
    if left >= right or top >= bottom:
        raise ImageError(f"has {width} x {height} px, and the box {box} holds none of them")
    return pixels[top:bottom, left:right].copy()  # a part must not keep the whole in memory


def upright_size(path: Path) -> tuple[int, int]:
    """Return width and height of a picture, px, as it is read: turned upright, but not decoded.

    Raises:
        ImageError: it is no picture, or cannot be opened.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            lying = image.getexif().get(ExifTags.Base.Orientation) in _LYING
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{str(path)!r} cannot be opened: {error}") from error
    return (height, width) if lying else (width, height)
