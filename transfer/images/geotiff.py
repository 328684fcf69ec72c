"""From one GeoTIFF to the bands that are asked for, (H, W, C), and to where it lies on earth."""

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ImageError
from transfer.images.extras import import_extra
from transfer.images.pictures import LARGEST_PX, Pixels

GEOTIFF_SUFFIXES = frozenset({".tif", ".tiff"})
REFLECTANCE = 1e-4
"""What 1 is worth in integers deeper than a byte where nothing says otherwise: the unit of
Sentinel-2 (ESA, Level-2A: quantification value 10,000), Landsat products and most made of them."""
_COLOURS = ("red", "green", "blue", "alpha")
_BRIGHTEST = 2.0  # clouds and snow go beyond 1, no landscape does so by far

# Pictures without a place are pictures as well.
warnings.filterwarnings("ignore", message="Dataset has no geotransform")


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


def read_bands(
    path: Path,
    bands: Sequence[str],
    *,
    file_bands: Sequence[str] = (),
    scale: float | None = None,
) -> Pixels:
    """Return the bands of a GeoTIFF by name or number as (H, W, C), in the order asked for.

    Bytes stay uint8. All else becomes float32 in [0, 1]: stored values times a scale, plus the
    offset of the file if its own scale is taken, cut off at both ends. Pixels without data (the
    no-data value, a mask, a transparent alpha band, NaN) become 0 in the bands that lack them.

    A band is found by its description in the file; in a file whose bands have none, by its colour,
    or by its place where all bands are named; and by its number, from 1. Only the bands asked for
    are read.

    Args:
        path: the file, of any format that GDAL reads.
        bands: names.
        file_bands: names of all bands of the file, in order, in place of its descriptions.
        scale: what a stored 1 is worth; unset takes what the file declares, else `REFLECTANCE`
            for integers and 1 for floats.

    Raises:
        ImageError: it cannot be read, a band is not there, where it says which are, or its values
            are far from [0, 1] at this scale.
        MissingPackageError: rasterio is not installed.
    """
    with _opened(path) as file:
        numbers = _numbers(file, bands, file_bands)
        if file.width * file.height > LARGEST_PX:
            raise ImageError(f"has {file.width} x {file.height} px, at most {LARGEST_PX} are read")
        stored = file.read(numbers)
        empty = _without_data(file, numbers, stored)
        if stored.dtype == np.uint8 and scale is None:
            pixels = stored
        else:
            pixels = _scaled(stored, empty, *_scales(file, numbers, stored.dtype, scale))
        pixels[empty] = 0
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))


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
        with _opened(path) as file:
            if file.crs is None or file.transform.is_identity:
                return None
            to, right, down = file.transform, file.width / 2, file.height / 2
            x = to.c + to.a * right + to.b * down
            y = to.f + to.d * right + to.e * down
            return file.crs.to_string(), x, y, file.res
    except ImageError:
        return None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    rasterio = import_extra("rasterio", "satellite")
    errors = import_extra("rasterio.errors", "satellite")
    try:
        # Side files are asked for by name: to list a folder of 100,000 for each file takes hours.
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="TRUE"),
            rasterio.open(os.fspath(path)) as file,
        ):
            yield file
    except (errors.RasterioError, errors.RasterioIOError, OSError) as error:
        raise ImageError(f"{str(path)!r} cannot be read: {error}") from error
    except ImageError as error:
        raise ImageError(f"{str(path)!r} {error}") from error.__cause__


def _numbers(file: Any, bands: Sequence[str], named: Sequence[str]) -> list[int]:
    """Return the number of each band in the file, from 1."""
    if named and len(named) != file.count:
        raise ImageError(
            f"has {file.count} bands, and {len(named)} are named as the bands of a file: "
            f"{', '.join(named)}"
        )
    own = [name or "" for name in named or file.descriptions]
    if not any(own):
        colours = [c.name if c.name in _COLOURS else "" for c in file.colorinterp]
        all_named = len(bands) == file.count
        known = {*colours, *map(str, range(1, file.count + 1))}
        own = list(bands) if all_named and not {b.lower() for b in bands} <= known else colours
    found = {band: _find(band, own) for band in bands}
    if lost := [band for band, numbers in found.items() if len(numbers) != 1]:
        there = ", ".join(f"{number} {name}".strip() for number, name in enumerate(own, 1))
        twice = [band for band in lost if found[band]]
        raise ImageError(
            f"has no band {', '.join(lost)}; its {file.count} bands are: {there}"
            + (f"; {', '.join(twice)} is there more than once, give its number" if twice else "")
            + ("" if any(own) else "; the file does not name them: name all, or give numbers")
        )
    return [found[band][0] for band in bands]


def _find(band: str, own: Sequence[str]) -> list[int]:
    named = [number for number, name in enumerate(own, 1) if name.lower() == band.lower()]
    if not named and band.isdecimal() and 1 <= int(band) <= len(own):
        return [int(band)]
    return named


def _without_data(file: Any, numbers: list[int], stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (C, H, W), true where a band holds nothing."""
    flags = [file.mask_flag_enums[number - 1] for number in numbers]
    empty = np.zeros(stored.shape, bool)
    if any("all_valid" not in {flag.name for flag in band} for band in flags):
        alpha = [number for number, c in enumerate(file.colorinterp, 1) if c.name == "alpha"]
        if not {*alpha} & {*numbers}:  # else somebody calls a band so that is none
            empty = file.read_masks(numbers) == 0
    return empty | ~np.isfinite(stored) if stored.dtype.kind == "f" else empty


def _scales(
    file: Any, numbers: list[int], dtype: np.dtype[Any], scale: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and offset of each band (C, 1, 1)."""
    declared = np.array([(file.scales[n - 1], file.offsets[n - 1]) for n in numbers], float)
    if scale is not None:
        declared[:] = scale, 0
    elif (declared == (1, 0)).all():
        declared[:] = 1 if dtype.kind == "f" else REFLECTANCE, 0
    return declared[:, :1, np.newaxis], declared[:, 1:, np.newaxis]


def _scaled(
    stored: NDArray[Any],
    empty: NDArray[np.bool_],
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> NDArray[np.float32]:
    if stored.dtype.kind == "c":
        raise ImageError("holds complex numbers; save amplitude and phase as bands")
    values = stored.astype(np.float32) * scale.astype(np.float32) + offset.astype(np.float32)
    held = values[~empty]
    if held.size and not np.median(held) <= _BRIGHTEST:
        raise ImageError(
            f"holds {stored.dtype} values up to {stored[~empty].max():g}; at scale "
            f"{scale.flat[0]:g} half of them are over {_BRIGHTEST:g}, where 1 is white: "
            "set what a stored 1 is worth"
        )
    return np.clip(np.nan_to_num(values), 0, 1)
