"""From one file to the bands that a recipe names, computed ones among them."""

import numpy as np

from tasks.satellite_vegetation.indices import bands_to_read, parse_indices
from tasks.satellite_vegetation.settings import Settings
from transfer import Pixels, Recipe, Row
from transfer.errors import RecipeError
from transfer.images.crop import crop
from transfer.images.geotiff import GEOTIFF_SUFFIXES, read_bands
from transfer.plugin.task import read_row


def check_indices(recipe: Recipe) -> None:
    """Refuse indices that would be computed for nothing.

    Raises:
        RecipeError: an index is not among the bands of the recipe.
    """
    settings = recipe.task
    indices = parse_indices(settings.indices) if isinstance(settings, Settings) else {}
    if unused := [name for name in indices if name not in recipe.bands]:
        bands = recipe.bands or tuple(sorted({b for i in indices.values() for b in i.bands}))
        raise RecipeError(
            f"task.indices says how to compute {', '.join(unused)}, which is none of the bands "
            f"{', '.join(recipe.bands) or 'of a picture in colours'}; name it among them: "
            f"--set bands={','.join((*bands, *unused))}"
        )


def read_named_bands(row: Row, bands: tuple[str, ...], settings: Settings) -> Pixels:
    """Return a chip as (H, W, C), a band for each name; uint8, or float32 in [0, 1].

    A GeoTIFF gives the bands that are asked for. Other files have no names: their colours are taken
    in order, and are as many as the names or the run is refused. Indices: see `with_indices`.

    Raises:
        ImageError: the file cannot be read, or has no such band.
        MissingPackageError: a GeoTIFF is to be read, and rasterio is not installed.
    """
    if row.path.suffix.lower() not in GEOTIFF_SUFFIXES:
        return read_row(row, settings)
    names = bands_to_read(bands, parse_indices(settings.indices))
    pixels = read_bands(row.path, names, file_bands=settings.file_bands, scale=settings.scale)
    chip = with_indices(pixels, names, bands, settings)
    return chip if row.box is None else crop(chip, row.box, 0.0)


def with_indices(
    pixels: Pixels, names: tuple[str, ...], bands: tuple[str, ...], settings: Settings
) -> Pixels:
    """Return the bands (H, W, C) of a recipe, given those (H, W, N) of a file they are made of.

    Where an index is among them all are float32; a pixel that is 0 in all bands of the file is 0 in
    it as well.
    """
    if names == bands:
        return pixels
    indices = parse_indices(settings.indices)
    unit = np.divide(pixels, 255 if pixels.dtype == np.uint8 else 1, dtype=np.float32)
    by_name = {name: unit[:, :, number] for number, name in enumerate(names)}
    held = pixels.any(axis=2)
    for name in {*bands} & {*indices}:
        by_name[name] = np.where(held, indices[name].over(by_name), np.float32(0))
    chip: Pixels = np.stack([by_name[name] for name in bands], axis=2)
    return chip
