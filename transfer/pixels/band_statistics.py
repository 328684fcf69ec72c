"""Mean and deviation of each band over training rows, in one pass."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ManifestError
from transfer.images.pictures import Pixels
from transfer.pixels.cache import as_float

_NEVER_CHANGES = 1e-8  # what rounding leaves of a constant


class BandStatistics(NamedTuple):
    """Numbers in [0, 1], one for each band."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


def band_statistics(pictures: Iterable[Pixels], no_data: float | None = None) -> BandStatistics:
    """Return mean and standard deviation of each band over all pixels that hold data.

    Sums of single pictures are merged pair by pair, in float64, so that nothing cancels
    (Chan et al. 1983, doi:10.1080/00031305.1983.10483115).

    Args:
        pictures: (H, W, C), uint8, or float32 in [0, 1]; of train rows only.
        no_data: a pixel with this value in every band, as stored, is not counted; it may be NaN.

    Returns:
        Of a band that never changes, the deviation is 1: it is divided by.

    Raises:
        ManifestError: no pixel holds data.
    """
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for picture in pictures:
        pixels = _with_data(picture, no_data)
        added = len(pixels)
        if not added:
            continue
        own = pixels.mean(axis=0)
        apart = own - mean
        squares = squares + ((pixels - own) ** 2).sum(axis=0)
        squares = squares + apart**2 * (count * added / (count + added))
        mean = mean + apart * (added / (count + added))
        count += added
    if not count:
        raise ManifestError(f"no pixel of the training rows holds data; no_data = {no_data}")
    std = np.sqrt(squares / count)
    std[std < _NEVER_CHANGES] = 1.0
    return BandStatistics(tuple(mean.tolist()), tuple(std.tolist()))


def _with_data(picture: Pixels, no_data: float | None) -> NDArray[np.float64]:
    """Return the pixels (N, C) that hold data, as float64 in [0, 1]."""
    stored = picture.reshape(-1, picture.shape[2])
    if no_data is not None:
        empty = np.isnan(stored) if np.isnan(no_data) else stored == no_data
        stored = stored[~empty.all(axis=1)]
    return as_float(stored).astype(np.float64)
