"""How much land the cells of a map cover, whatever its projection does to areas."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.images.extras import import_extra

KM2, HECTARE = 1e6, 1e4
"""In m2."""
_Numbers = NDArray[np.float64]
_PARTS = 8  # of an edge that may be bent in another projection


class CellAreas:
    """The area of cells on the ellipsoid, by row.

    Their corners are projected to where areas are true: Lambert's azimuthal equal-area projection
    around the middle of the map (Snyder 1987, USGS Professional Paper 1395). So cells in degrees,
    which shrink towards the poles, and in Web Mercator, which grow, count as what they cover.
    """

    def __init__(self, crs: Any, transform: Any, cells: tuple[int, int]) -> None:
        """Prepare for a map.

        Args:
            crs: of rasterio.
            transform: affine, from column and row of a cell's corner to the CRS.
            cells: rows and columns.
        """
        self._warp = import_extra("rasterio.warp", "satellite")
        self._crs, self._transform = crs, transform
        x, y = _at(transform, np.array([cells[1] / 2]), np.array([cells[0] / 2]))
        (lon,), (lat,) = self._warp.transform(crs, "EPSG:4326", x.tolist(), y.tolist())[:2]
        self._true = f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m +type=crs"

    def of_rows(self, row: int, rows: int, columns: tuple[int, int]) -> NDArray[np.float64]:
        """Return the area of a cell in each of some rows, m2, the mean over `columns`: (rows,)."""
        along = np.linspace(*columns, _PARTS + 1)
        down = np.arange(row, row + rows + 1)
        across, below = (grid.ravel().astype(float) for grid in np.meshgrid(along, down))
        xs, ys = _at(self._transform, across, below)
        xs, ys = self._warp.transform(self._crs, self._true, xs.tolist(), ys.tolist())[:2]
        x, y = (np.reshape(values, (rows + 1, _PARTS + 1)) for values in (xs, ys))
        # Twice the area of a quadrilateral is the cross product of its diagonals.
        twice = (x[1:, 1:] - x[:-1, :-1]) * (y[1:, :-1] - y[:-1, 1:]) - (
            x[1:, :-1] - x[:-1, 1:]
        ) * (y[1:, 1:] - y[:-1, :-1])
        total: NDArray[np.float64] = np.abs(twice).sum(axis=1) / 2 / (columns[1] - columns[0])
        return total


def _at(transform: Any, columns: _Numbers, rows: _Numbers) -> tuple[_Numbers, _Numbers]:
    return (
        transform.c + transform.a * columns + transform.b * rows,
        transform.f + transform.d * columns + transform.e * rows,
    )


def cells_inside(first: int, count: int, cell: int, length: int) -> NDArray[np.float64]:
    """Return which share of each of some cells lies in the scene, in one direction: (count,).

    Args:
        first: number of the first cell.
        count: how many.
        cell: side of a cell, px of the scene.
        length: of the scene, px.
    """
    starts = (first + np.arange(count)) * cell
    return np.clip((length - starts) / cell, 0, 1)
