"""From one GeoTIFF to the bands that are asked for, (H, W, C), all of it or a window."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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


class Window(NamedTuple):
    """A part of a picture, px: its first row and column, and its size."""

    row: int
    column: int
    height: int
    width: int


class Land(NamedTuple):
    """What was read of a GeoTIFF.

    Attributes:
        pixels: (H, W, C), uint8, or float32 in [0, 1].
        held: (H, W), false where a band holds no data.
    """

    pixels: Pixels
    held: NDArray[np.bool_]


@dataclass(frozen=True)
class Bands:
    """Some bands of a GeoTIFF that is open, in the order they were asked for.

    Attributes:
        path: the file.
        file: the open data set of rasterio, with its size, CRS and transform.
        numbers: of the bands in the file, from 1.
        scale: what a stored 1 is worth; see `read_bands`.
    """

    path: Path
    file: Any
    numbers: tuple[int, ...]
    scale: float | None

    def read(self, window: Window | None = None, *, check: bool = True) -> Land:
        """Return the pixels of a window, or of all of the file, as `read_bands` says.

        Args:
            window: inside the file; None is all of it.
            check: refuse values that are far from [0, 1]. One cloud is no reason to refuse a scene
                whose scale was found to be right.

        Raises:
            ImageError: the file is damaged, too large to be read whole, or its values are far from
                [0, 1].
        """
        with said_of(self.path):
            return self._read(window or self._all(), check=check)

    def _all(self) -> Window:
        height, width = self.file.height, self.file.width
        if height * width > LARGEST_PX:
            raise ImageError(f"has {width} x {height} px, at most {LARGEST_PX} are read")
        return Window(0, 0, height, width)

    def _read(self, window: Window, *, check: bool) -> Land:
        numbers, file = list(self.numbers), self.file
        row, column, height, width = window
        part = (row, row + height), (column, column + width)
        stored = file.read(numbers, window=part)
        empty = _without_data(file, numbers, stored, part)
        if stored.dtype == np.uint8 and self.scale is None:
            pixels = stored
        else:
            scales, offsets = _scales(file, numbers, stored.dtype, self.scale)
            pixels = _scaled(stored, scales, offsets)
            if check:
                _refuse_far_from_unit(stored, pixels, empty, float(scales.flat[0]))
            np.clip(np.nan_to_num(pixels, copy=False), 0, 1, out=pixels)
        pixels[empty] = 0
        held = np.asarray(~empty.any(axis=0))
        return Land(np.ascontiguousarray(pixels.transpose(1, 2, 0)), held)


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
    with open_bands(path, bands, file_bands=file_bands, scale=scale) as opened:
        return opened.read().pixels


@contextmanager
def open_bands(
    path: Path,
    bands: Sequence[str],
    *,
    file_bands: Sequence[str] = (),
    scale: float | None = None,
) -> Iterator["Bands"]:
    """Give the bands of a GeoTIFF that may be larger than memory; see `read_bands`.

    Raises:
        ImageError, MissingPackageError: as `read_bands` does.
    """
    with opened(path) as file:
        with said_of(path):
            numbers = _numbers(file, bands, file_bands)
        yield Bands(path, file, tuple(numbers), scale)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Give the open data set of rasterio.

    Raises:
        ImageError: it cannot be opened.
        MissingPackageError: rasterio is not installed.
    """
    rasterio = import_extra("rasterio", "satellite")
    # Side files are asked for by name: to list a folder of 100,000 for each file takes hours.
    with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="TRUE"):
        with said_of(path):
            file = rasterio.open(os.fspath(path))
        with file:
            yield file


@contextmanager
def said_of(path: Path) -> Iterator[None]:
    """Name the file in every error of reading it.

    Raises:
        ImageError: in place of what GDAL or the system says.
    """
    errors = import_extra("rasterio.errors", "satellite")
    try:
        yield
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


def _without_data(
    file: Any, numbers: list[int], stored: NDArray[Any], part: tuple[tuple[int, int], ...]
) -> NDArray[np.bool_]:
    """Return (C, H, W), true where a band holds nothing."""
    flags = [file.mask_flag_enums[number - 1] for number in numbers]
    empty = np.zeros(stored.shape, bool)
    if any("all_valid" not in {flag.name for flag in band} for band in flags):
        alpha = [number for number, c in enumerate(file.colorinterp, 1) if c.name == "alpha"]
        if not {*alpha} & {*numbers}:  # else somebody calls a band so that is none
            empty = file.read_masks(numbers, window=part) == 0
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
    stored: NDArray[Any], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> NDArray[np.float32]:
    if stored.dtype.kind == "c":
        raise ImageError("holds complex numbers; save amplitude and phase as bands")
    values: NDArray[np.float32] = stored.astype(np.float32) * scale.astype(np.float32)
    values += offset.astype(np.float32)
    return values


def _refuse_far_from_unit(
    stored: NDArray[Any], values: NDArray[np.float32], empty: NDArray[np.bool_], scale: float
) -> None:
    held = values[~empty]
    if held.size and not np.median(held) <= _BRIGHTEST:
        raise ImageError(
            f"holds {stored.dtype} values up to {stored[~empty].max():g}; at scale "
            f"{scale:g} half of them are over {_BRIGHTEST:g}, where 1 is white: "
            "set what a stored 1 is worth"
        )
