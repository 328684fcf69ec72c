"""A map as a GeoTIFF, written piece by piece, whole or not at all; and a small picture of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tasks.satellite_vegetation.areas import CellAreas, cells_inside
from tasks.satellite_vegetation.blending import Grid
from tasks.satellite_vegetation.colours import colours_of
from tasks.satellite_vegetation.mapping import NO_DATA, Piece, tile_side
from transfer.errors import OutputError
from transfer.images.extras import import_extra

MOST_CLASSES = 255
"""Of a map: a byte for each cell, 0 for those without data."""
_PREVIEW_PX, _LEAST_PX = 1200, 400
_LINE_PX = 22


@dataclass
class ClassMap:
    """A map that is being written.

    Attributes:
        file: open for writing.
        grid: windows and cells.
        areas: of cells; None where the scene says not where it lies.
        covered: of each number, 0 for no data: m2, or px of the scene where areas are not known.
    """

    file: Any
    grid: Grid
    areas: CellAreas | None
    covered: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros(MOST_CLASSES + 1, np.float64)
    )

    def add(self, piece: Piece) -> None:
        """Write a part of the map, and count what it covers."""
        height, width = piece.classes.shape
        rows, columns = (piece.row, piece.row + height), (piece.column, piece.column + width)
        self.file.write(np.stack([piece.classes, piece.confidence]), window=(rows, columns))
        cell = self.grid.cell
        areas = (
            np.full(height, float(cell**2))
            if self.areas is None
            else self.areas.of_rows(piece.row, height, columns)
        )
        down = areas * cells_inside(piece.row, height, cell, self.grid.height)
        across = cells_inside(piece.column, width, cell, self.grid.width)
        self.covered += np.bincount(
            piece.classes.ravel(), np.outer(down, across).ravel(), minlength=MOST_CLASSES + 1
        )


@contextmanager
def write_map(
    out: Path, scene: Any, grid: Grid, classes: Sequence[str], tags: dict[str, str]
) -> Iterator[ClassMap]:
    """Give a map to be filled; it stands at `out` once that has gone well, and its picture beside.

    Args:
        out: a .tif.
        scene: data set of rasterio whose coordinates it takes.
        grid: windows and cells.
        classes: names, of the numbers from 1.
        tags: what is to be known about it.

    Raises:
        OutputError: the place cannot be written to.
    """
    rasterio = import_extra("rasterio", "satellite")
    errors = import_extra("rasterio.errors", "satellite")
    part, picture = out.with_name(f".{out.name}.part"), out.with_name(f".{out.stem}.png.part")
    to, cell = scene.transform, grid.cell
    transform = type(to)(to.a * cell, to.b * cell, to.c, to.d * cell, to.e * cell, to.f)
    rows, columns = grid.cells
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 2, "height": rows, "width": columns,
        "crs": scene.crs, "transform": transform, "nodata": NO_DATA, "tiled": True,
        "blockxsize": tile_side(grid), "blockysize": tile_side(grid), "interleave": "band",
        "compress": "deflate", "bigtiff": "if_safer",
    }  # fmt: skip
    try:
        with rasterio.open(part, "w", **profile) as file:
            _describe(file, classes, tags)
            areas = None if scene.crs is None else CellAreas(scene.crs, transform, grid.cells)
            yield ClassMap(file, grid, areas)
        with rasterio.open(part) as file:
            draw_preview(file, classes).save(picture, format="PNG")
        part.replace(out)
        picture.replace(out.with_suffix(".png"))
    except (errors.RasterioError, errors.RasterioIOError, OSError) as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {str(out)!r}: {error}") from error
    finally:
        for path in (part, picture):
            with suppress(OSError):  # where its folder is none, either
                path.unlink()


def draw_preview(file: Any, classes: Sequence[str]) -> Image.Image:
    """Return a small picture of a map with its legend; no data are transparent."""
    scale = max(1.0, max(file.height, file.width) / _PREVIEW_PX)
    size = max(1, round(file.height / scale)), max(1, round(file.width / scale))
    times = max(1, _LEAST_PX // max(size))  # a stamp is no picture
    numbers = file.read(1, out_shape=size).repeat(times, axis=0).repeat(times, axis=1)
    table = np.zeros((MOST_CLASSES + 1, 4), np.uint8)
    table[1 : len(classes) + 1] = [(*colour, 255) for colour in colours_of(classes)]
    land = Image.fromarray(table[numbers])
    font = ImageFont.load_default(_LINE_PX * 2 // 3)
    beside = round(max(font.getlength(name) for name in classes)) + 3 * _LINE_PX
    height = max(land.height, (len(classes) + 1) * _LINE_PX)
    page = Image.new("RGBA", (land.width + beside, height), "white")
    page.paste(land)
    draw = ImageDraw.Draw(page)
    for number, (name, colour) in enumerate(zip(classes, colours_of(classes), strict=True)):
        left, top = land.width + _LINE_PX // 2, number * _LINE_PX + _LINE_PX // 2
        draw.rectangle((left, top, left + _LINE_PX, top + _LINE_PX * 2 // 3), (*colour, 255))
        draw.text((left + _LINE_PX * 3 // 2, top), name, (0, 0, 0, 255), font)
    return page


def _describe(file: Any, classes: Sequence[str], tags: dict[str, str]) -> None:
    numbered = list(enumerate(classes, 1))
    table = {NO_DATA: (0, 0, 0, 0)}
    table |= {n: (*colour, 255) for n, colour in enumerate(colours_of(classes), 1)}
    file.write_colormap(1, table)
    file.descriptions = ("class", "confidence")
    file.units = ("", "%")
    file.update_tags(**tags)
    file.update_tags(1, **{f"CLASS_{number}": name for number, name in numbered})
