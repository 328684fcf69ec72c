"""Where on earth GeoTIFFs lie."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transfer.errors import ImageError
from transfer.images.extras import import_extra
from transfer.images.geotiff import opened, said_of


class Place(NamedTuple):
    """Where a picture lies, and how large its pixels are.

    Attributes:
        crs: of x, y and pixel, as "EPSG:32633" or WKT.
        x, y: its centre, in units of the CRS.
        lon, lat: its centre, degrees (WGS 84).
        pixel: width and height of a pixel, in units of the CRS.
    """

    crs: str
    x: float
    y: float
    lon: float
    lat: float
    pixel: tuple[float, float]


def locate(paths: Iterable[Path]) -> list[Place | None]:
    """Return where each file lies; None where it does not say, or cannot be read.

    Raises:
        MissingPackageError: rasterio is not installed.
    """
    warp = import_extra("rasterio.warp", "satellite")
    centres = [_centre(path) for path in paths]
    places: list[Place | None] = [None] * len(centres)
    by_crs: dict[str, list[int]] = {}
    for number, centre in enumerate(centres):
        if centre is not None:
            by_crs.setdefault(centre[0], []).append(number)
    for crs, numbers in by_crs.items():  # setting up a transformation takes longer than using it
        there = [centre for number in numbers if (centre := centres[number]) is not None]
        xs, ys = [centre[1] for centre in there], [centre[2] for centre in there]
        degrees = zip(*warp.transform(crs, "EPSG:4326", xs, ys), strict=True)
        for number, (_, x, y, pixel), (lon, lat) in zip(numbers, there, degrees, strict=True):
            if np.isfinite((lon, lat)).all():
                places[number] = Place(crs, x, y, lon, lat, pixel)
    return places


def _centre(path: Path) -> tuple[str, float, float, tuple[float, float]] | None:
    try:
        with opened(path) as file, said_of(path):
            if file.crs is None or file.transform.is_identity:
                return None
            to, right, down = file.transform, file.width / 2, file.height / 2
            x = to.c + to.a * right + to.b * down
            y = to.f + to.d * right + to.e * down
            return file.crs.to_string(), x, y, file.res
    except ImageError:
        return None
