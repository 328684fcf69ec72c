"""A look at parts of a scene before it is mapped: does it fit the run, and how long is it?"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.satellite_vegetation.blending import Grid
from tasks.satellite_vegetation.mapping import Predict
from tasks.satellite_vegetation.scene import Scene
from transfer import Pixels, Predictor
from transfer.errors import ImageError
from transfer.images.geotiff import Land

_ACROSS = 8  # windows in each direction: a batch of the predictor
_FAR = 3.0  # deviations of the chips' pixels; land differs by one or two


class Survey(NamedTuple):
    """What was seen.

    Attributes:
        held: share of the scene that holds data, about.
        remarks: what has to be said before anyone believes the map.
        windows_per_second: of the network.
    """

    held: float
    remarks: tuple[str, ...]
    windows_per_second: float


def survey(scene: Scene, grid: Grid, predictor: Predictor) -> Survey:
    """Look at windows from all over a scene.

    Raises:
        ImageError: the scene is damaged, holds no data anywhere, or its values are not scaled as
            those of the chips.
    """
    seen: list[Land] = []
    refused: list[ImageError] = []
    samples = grid.samples(_ACROSS)
    for window in samples:
        try:
            seen.append(scene.read(window, check=True))
        except ImageError as error:
            refused.append(error)
    if len(refused) > len(samples) / 2:  # fewer are clouds
        raise refused[0]
    held = float(np.mean([land.held.mean() for land in seen]))
    if not held:
        raise ImageError(f"{str(scene.stored.path)!r} holds no data in any of {len(seen)} places")
    pixels = [land.pixels for land in seen]
    return Survey(held, _remarks(seen, predictor), _speed(pixels, predictor.predict_arrays))


def _remarks(seen: Sequence[Land], predictor: Predictor) -> tuple[str, ...]:
    """Return which bands are far from those of the run's chips.

    Without bands in the recipe the network knows no numbers of the chips, but of the pictures its
    weights were made from.
    """
    bands, chips = predictor.recipe.bands, predictor.network.normalization
    if not bands:
        return ()
    means = _means(seen)
    apart = (means - chips.mean) / chips.std
    return tuple(
        f"{band} is {mean:.3f} on average, in the run's chips {usual:.3f} +- {std:.3f}: another "
        "scaling, atmospheric correction, sensor or season, or land it has not seen; do not trust "
        "the map before you know which"
        for band, mean, usual, std, far in zip(
            bands, means, chips.mean, chips.std, abs(apart) > _FAR, strict=True
        )
        if far
    )


def _means(seen: Sequence[Land]) -> NDArray[np.float64]:
    """Return the mean of each band in [0, 1] over pixels with data, (C,)."""
    pixels = np.concatenate([land.pixels[land.held] for land in seen])
    whole = 255 if pixels.dtype == np.uint8 else 1
    means: NDArray[np.float64] = pixels.mean(axis=0, dtype=np.float64) / whole
    return means


def _speed(pixels: list[Pixels], predict: Predict) -> float:
    """Return how many windows a second the network looks at."""
    predict(pixels)  # the first time it sets itself up
    began = time.perf_counter()
    predict(pixels)
    return len(pixels) / (time.perf_counter() - began)
