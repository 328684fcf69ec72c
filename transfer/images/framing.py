"""Working-size pixels: the one way from a picture to the square that a network sees."""

from typing import Literal

import cv2
import numpy as np

from transfer.images.pictures import Pixels

Framing = Literal["crop", "pad", "squash"]

_MOST_BANDS = 4  # of which OpenCV averages areas at once

# Pictures are small and are read side by side by threads or processes: OpenCV's own threads would
# only take turns with those and with torch. Its results do not depend on it.
cv2.setNumThreads(0)


def frame(pixels: Pixels, size: int, mode: Framing) -> Pixels:
    """Return pixels (H, W, C) as (size, size, C) of the same dtype, for any number of bands.

    crop: the central square, scaled. pad: the whole picture, scaled to fit and centred on a border
    of its own mean colour, which leaves the statistics of a batch where they were. squash: each
    side scaled by itself. A picture that fits already is returned as it is, not copied.

    Args:
        pixels: (H, W, C), uint8 or float32.
        size: side of the result, px.
        mode: how the picture becomes square.
    """
    height, width = pixels.shape[:2]
    if height == width == size:
        return pixels
    if mode == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return _resize(pixels[top : top + side, left : left + side], size, size)
    if mode == "squash":
        return _resize(pixels, size, size)
    scale = size / max(height, width)
    return _on_its_mean(
        _resize(pixels, max(1, round(height * scale)), max(1, round(width * scale))), size
    )


def _on_its_mean(pixels: Pixels, size: int) -> Pixels:
    height, width, bands = pixels.shape
    if height == width:
        return pixels
    mean = pixels.mean(axis=(0, 1))
    square = np.empty((size, size, bands), pixels.dtype)
    square[:] = np.rint(mean) if pixels.dtype == np.uint8 else mean
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def _resize(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return pixels.copy()  # a part of a picture must not keep the whole in memory
    bands = pixels.shape[2]
    if bands <= _MOST_BANDS:
        return _resize_bands(pixels, height, width)
    resized = np.empty((height, width, bands), pixels.dtype)
    for first in range(0, bands, _MOST_BANDS):
        part = slice(first, first + _MOST_BANDS)
        resized[:, :, part] = _resize_bands(pixels[:, :, part], height, width)
    return resized


def _resize_bands(pixels: Pixels, height: int, width: int) -> Pixels:
    """Shrink by whole factors, then go the rest of the way, less than two times, bilinearly.

    Every pixel counts, so that fine patterns do not alias; no value leaves the range of the
    picture; and it takes a fifth of the time of averaging areas that cut through pixels. At the
    edges, less than a pixel of the result is lost where the factor does not divide the side.
    """
    rows, columns = max(1, pixels.shape[0] // height), max(1, pixels.shape[1] // width)
    if rows * columns > 1:
        high, wide = pixels.shape[0] // rows, pixels.shape[1] // columns
        top, left = (pixels.shape[0] - high * rows) // 2, (pixels.shape[1] - wide * columns) // 2
        whole = pixels[top : top + high * rows, left : left + wide * columns]
        pixels = _with_bands(cv2.resize(whole, (wide, high), interpolation=cv2.INTER_AREA))
    if pixels.shape[:2] != (height, width):
        pixels = _with_bands(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR))
    return pixels


def _with_bands(pixels: Pixels) -> Pixels:
    return pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis]  # noqa: PLR2004  # OpenCV drops a single band
