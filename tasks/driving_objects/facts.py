"""Numbers of an object that slice its scores, taken when its pixels are first read."""

from collections.abc import Mapping

import cv2
import numpy as np

from transfer import Pixels, Row


def measure(row: Row, pixels: Pixels) -> Mapping[str, float]:
    """Return how high an object is in its frame, px, and how bright its picture is, 0 to 1.

    A picture without a box is all object. The brightness is the mean over the colours of what is
    read, the margin around the box included.
    """
    height = len(pixels) if row.box is None else row.box.bottom - row.box.top
    bands = pixels.shape[2]
    brightness = sum(cv2.mean(pixels)[:bands]) / bands
    white = 255 if pixels.dtype == np.uint8 else 1
    return {"height_px": float(height), "brightness": brightness / white}
