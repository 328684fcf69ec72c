"""From one file to the bands that a recipe names, computed ones among them."""

import numpy as np

from tasks.satellite_vegetation.indices import bands_to_read, parse_indices
from tasks.satellite_vegetation.settings import Settings
from transfer import Pixels, Row, read_picture
from transfer.errors import RecipeError
from transfer.images.geotiff import GEOTIFF_SUFFIXES, read_bands


def read_named_bands(row: Row, bands: tuple[str, ...], settings: Settings) -> Pixels:
    """Return a chip as (H, W, C), a band for each name; uint8, or float32 in [0, 1].

    A GeoTIFF gives the bands that are asked for. Other files have no names: their colours are taken
    in order, and are as many as the names or the run is refused. Where an index is among the bands
    all are float32; a pixel that is 0 in all bands that are read is 0 in it as well.

    Raises:
        RecipeError: an index is not among the bands.
        ImageError: the file cannot be read, or has no such band.
        MissingPackageError: a GeoTIFF is to be read, and rasterio is not installed.
    """
    if row.path.suffix.lower() not in GEOTIFF_SUFFIXES:
        return read_picture(row.path)
    indices = parse_indices(settings.indices)
    if unused := [name for name in indices if name not in bands]:
        raise RecipeError(
            f"task.indices says how to compute {', '.join(unused)}, which is none of the bands "
            f"{', '.join(bands)}; name it among them: --set bands={','.join((*bands, *unused))}"
        )
    names = bands_to_read(bands, indices)
    pixels = read_bands(row.path, names, file_bands=settings.file_bands, scale=settings.scale)
    if names == bands:
        return pixels
    unit = np.divide(pixels, 255 if pixels.dtype == np.uint8 else 1, dtype=np.float32)
    by_name = {name: unit[:, :, number] for number, name in enumerate(names)}
    held = pixels.any(axis=2)
    for name in {*bands} & {*indices}:
        by_name[name] = np.where(held, indices[name].over(by_name), np.float32(0))
    chip: Pixels = np.stack([by_name[name] for name in bands], axis=2)
    return chip
