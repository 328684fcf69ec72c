"""A scene, read window by window with the eyes that read the chips of a run."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.satellite_vegetation.bands import with_indices
from tasks.satellite_vegetation.indices import bands_to_read, parse_indices
from tasks.satellite_vegetation.settings import Settings
from transfer import Recipe
from transfer.errors import ImageError
from transfer.images.extras import import_extra
from transfer.images.geotiff import Bands, Land, Window, open_bands, opened

MOST_CACHED = 128 * 2**20
"""Bytes of decoded tiles that GDAL keeps; by itself it would keep a twentieth of the memory."""
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Scene:
    """An open GeoTIFF, and how its bands become those of a run.

    Attributes:
        stored: the bands of the file that the run needs.
        names: of them.
        recipe: of the run.
        settings: of its task.
    """

    stored: Bands
    names: tuple[str, ...]
    recipe: Recipe
    settings: Settings

    @property
    def height(self) -> int:
        """Rows, px."""
        return int(self.stored.file.height)

    @property
    def width(self) -> int:
        """Columns, px."""
        return int(self.stored.file.width)

    def read(self, window: Window, *, check: bool = False) -> Land:
        """Return a window as the run's chips are read, and which of its pixels hold data.

        A pixel lacks data where the file says so of a band, and where all bands are what the recipe
        calls no data.

        Args:
            window: inside the scene.
            check: refuse values that are far from [0, 1].

        Raises:
            ImageError: the file is damaged, or its values are far from [0, 1].
        """
        pixels, held = self.stored.read(window, check=check)
        if self.recipe.no_data is not None:
            held &= (pixels != self.recipe.no_data).any(axis=2)
        bands = self.recipe.bands or self.names
        return Land(with_indices(pixels, self.names, bands, self.settings), held)


@contextmanager
def open_scene(path: Path, recipe: Recipe, named: Sequence[str] = ()) -> Iterator[Scene]:
    """Give a scene of any size, with the bands of a run.

    Args:
        path: a GeoTIFF.
        recipe: of the run.
        named: names of all bands of the scene, in order, where it does not give them itself.

    Raises:
        ImageError: it cannot be read, lacks a band of the run, or its pixels cannot mean what those
            of the chips did.
        MissingPackageError: rasterio is not installed.
    """
    settings = recipe.task if isinstance(recipe.task, Settings) else Settings()
    names = bands_to_read(recipe.bands, parse_indices(settings.indices)) or _COLOURS
    # A scene may have other bands than the chips' files had: its own names come first.
    given = tuple(named) or _if_they_fit(path, settings.file_bands)
    rasterio = import_extra("rasterio", "satellite")
    with (
        rasterio.Env(GDAL_CACHEMAX=MOST_CACHED),
        open_bands(path, names, file_bands=given, scale=settings.scale) as stored,
    ):
        kinds = sorted({stored.file.dtypes[number - 1] for number in stored.numbers})
        if not recipe.bands and kinds != ["uint8"]:
            raise ImageError(
                f"{str(path)!r} holds {', '.join(kinds)}, and the run learned from colours of 8 "
                "bits, which somebody stretched from such values in a way that no file tells: "
                "write the scene as bytes in that same way (gdal_translate -ot Byte -scale), or "
                "train on files of the scene's own kind with --set bands=NAMES"
            )
        yield Scene(stored, names, recipe, settings)


def _if_they_fit(path: Path, named: tuple[str, ...]) -> tuple[str, ...]:
    if not named:
        return ()
    with opened(path) as file:
        fit = file.count == len(named) and not any(file.descriptions)
    return named if fit else ()
