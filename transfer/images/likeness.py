"""Which of two pictures a view shows: whether it was mirrored, or turned over."""

import cv2
import numpy as np
from numpy.typing import NDArray

from transfer.images.pictures import Pixels

_FIELDS = 16  # a side: what a small shift, a slight turn or a blur hardly changes
_CLEARLY = 0.1


def shows_rather(other: Pixels, picture: Pixels, view: Pixels) -> bool:
    """Say whether a view clearly shows `other`, and not `picture`.

    That is so where its brightness over 16 x 16 fields correlates more with that of `other`, by 0.1
    at least. Of what is symmetric, no view is clearly mirrored.

    Args:
        other: the picture as no view may show it, (H, W, C).
        picture: as it is, (H, W, C).
        view: (H, W, C).
    """
    seen = _fields(view)
    return _alike(seen, _fields(other)) > _alike(seen, _fields(picture)) + _CLEARLY


def _fields(pixels: Pixels) -> NDArray[np.float64]:
    grey = pixels.mean(axis=2, dtype=np.float64)
    fields = cv2.resize(grey, (_FIELDS,) * 2, interpolation=cv2.INTER_AREA)
    centred: NDArray[np.float64] = fields - fields.mean()
    return centred


def _alike(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float((one * other).sum()) / lengths if lengths else 0.0
