"""From a scene to its map, piece by piece: what is held in memory does not grow with the scene."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks.satellite_vegetation.blending import Grid, Votes, blend
from tasks.satellite_vegetation.scene import Scene
from transfer import Pixels
from transfer.images.geotiff import Land, Window

NO_DATA = 0
"""In both bands of a map."""
_SWATH_PX = 4096  # so wide that few windows are looked at twice, so narrow that memory stays small

Predict = Callable[[list[Pixels]], NDArray[np.float32]]
"""Windows (S, S, C) -> probabilities (N, K)."""


class Piece(NamedTuple):
    """A part of a map.

    Attributes:
        row, column: of its first cell.
        classes: (h, w) uint8, numbers from 1; `NO_DATA` where the scene holds none.
        confidence: (h, w) uint8, the probability of that class in percent, 1 to 100.
    """

    row: int
    column: int
    classes: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


def tile_side(grid: Grid) -> int:
    """Return the side of the pieces in cells, as TIFF wants its tiles: a multiple of 16."""
    return min(256, max(16, _SWATH_PX // grid.cell // 16 * 16))


def swaths(grid: Grid) -> list[tuple[int, int]]:
    """Return first and behind the last column of cells of each swath, whole tiles wide."""
    side = tile_side(grid)
    width = side * max(1, _SWATH_PX // (side * grid.cell))
    ends = [*range(0, grid.cells[1], width), grid.cells[1]]
    return list(pairwise(ends))


def windows_to_see(grid: Grid) -> int:
    """Return how many windows the map of a scene takes; those between two swaths count twice."""
    columns = [grid.touching(*_strips(cells, grid)) for cells in swaths(grid)]
    return grid.windows[0] * sum(last - first for first, last in columns)


def map_pieces(
    scene: Scene, grid: Grid, predict: Predict, advance: Callable[[int], None]
) -> Iterator[Piece]:
    """Yield the map of a scene in pieces of whole tiles, whatever order suits.

    The scene is gone through in swaths, from top to bottom; of a swath there is a row of windows in
    memory, what the rows before it said as far as it still counts, and a row of tiles.

    Args:
        scene: open.
        grid: windows and cells.
        predict: the network.
        advance: told how many windows were looked at.

    Raises:
        ImageError: the scene is damaged.
    """
    for cells in swaths(grid):
        pieces = _swath(scene, grid, predict, advance, cells)
        yield from _in_tiles(pieces, tile_side(grid))


def look_at_windows(scene: Scene, grid: Grid, row: int, columns: tuple[int, int]) -> Land:
    """Return what a row of windows sees, over the edge of the scene as in a mirror.

    Args:
        scene: open.
        grid: windows.
        row: of the windows.
        columns: first and behind the last of them.

    Returns:
        (window, from the first to the end of the last, C); what lies beyond the edge holds no data.
    """
    top, left = row * grid.stride, columns[0] * grid.stride
    right = (columns[1] - 1) * grid.stride + grid.window
    height, width = min(grid.window, grid.height - top), min(right, grid.width) - left
    pixels, held = scene.read(Window(top, left, height, width))
    down, across = _mirrored(height, grid.window), _mirrored(width, right - left)
    inside = np.zeros((len(down), len(across)), np.bool_)
    inside[:height, :width] = held
    return Land(pixels[down][:, across], inside)


def _mirrored(length: int, wanted: int) -> NDArray[np.int64]:
    """Return which of `length` places stand at each of the `wanted`: behind the last, backwards."""
    places = np.arange(wanted)
    return np.clip(np.minimum(places, 2 * (length - 1) - places), 0, None)


def _swath(
    scene: Scene,
    grid: Grid,
    predict: Predict,
    advance: Callable[[int], None],
    cells: tuple[int, int],
) -> Iterator[Piece]:
    """Yield the map of some columns of cells, strip by strip from the top."""
    strips = _strips(cells, grid)
    columns = grid.touching(*strips)
    shown = slice(cells[0] - strips[0] * grid.fineness, cells[1] - strips[0] * grid.fineness)
    votes: deque[Votes | None] = deque([None] * grid.overlap, grid.overlap)
    held = np.empty((0, 0), np.bool_)
    for strip in range(grid.strips[0]):
        if strip < grid.windows[0]:
            land = look_at_windows(scene, grid, strip, columns)
            held = land.held[:, (strips[0] - columns[0]) * grid.stride :]
            votes.append(_votes(land, grid, predict))
            advance(columns[1] - columns[0])
        else:
            held = held[grid.stride :]
            votes.append(None)
        mean = blend(list(votes), columns[0], strips, grid)
        row = strip * grid.fineness
        here = _cells_held(held[: grid.stride], grid, (strip, strips[0]), mean.shape[:2])
        rows = slice(0, grid.cells[0] - row)
        yield _decided(mean[rows, shown], here[rows, shown], row, cells[0])


def _strips(cells: tuple[int, int], grid: Grid) -> tuple[int, int]:
    return cells[0] // grid.fineness, -(-cells[1] // grid.fineness)


def _votes(land: Land, grid: Grid, predict: Predict) -> Votes:
    """Return what the windows of a row say, each as loud as the share of it that holds data."""
    starts = range(0, land.pixels.shape[1] - grid.window + 1, grid.stride)
    windows = [slice(start, start + grid.window) for start in starts]
    shares = np.array([land.held[:, window].mean() for window in windows], np.float32)
    seen = np.flatnonzero(shares)
    said = predict([land.pixels[:, windows[number]] for number in seen.tolist()])
    votes = np.zeros((len(windows), said.shape[1] + 1), np.float32)
    votes[seen, :-1] = said * shares[seen, np.newaxis]
    votes[:, -1] = shares
    return votes


def _cells_held(
    held: NDArray[np.bool_], grid: Grid, strip: tuple[int, int], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return which cells of a strip hold data in at least half of what lies in the scene."""
    down, across = shape
    top, left = strip[0] * grid.stride, strip[1] * grid.stride
    size = down * grid.cell, across * grid.cell
    inside = np.zeros(size, np.bool_)
    inside[: max(0, grid.height - top), : max(0, grid.width - left)] = True
    found = np.zeros(size, np.bool_)
    part = held[: size[0], : size[1]]
    found[: part.shape[0], : part.shape[1]] = part
    blocks = (down, grid.cell, across, grid.cell)
    counts = found.reshape(blocks).sum((1, 3))
    least = np.maximum(1, inside.reshape(blocks).sum((1, 3)) / 2)
    return np.asarray(counts >= least)


def _decided(mean: NDArray[np.float32], held: NDArray[np.bool_], row: int, column: int) -> Piece:
    """Return the most probable class of each cell, and how probable it is."""
    highest = mean.max(axis=2)
    told = held & (highest > 0)
    classes = np.where(told, mean.argmax(axis=2) + 1, NO_DATA).astype(np.uint8)
    percent = np.clip(np.rint(highest * 100), 1, 100)
    return Piece(row, column, classes, np.where(told, percent, NO_DATA).astype(np.uint8))


def _in_tiles(strips: Iterator[Piece], side: int) -> Iterator[Piece]:
    """Yield the same cells, in pieces that begin at multiples of `side` rows."""
    waiting: list[Piece] = []
    for strip in strips:
        waiting.append(strip)
        while sum(len(piece.classes) for piece in waiting) >= side:
            whole = _joined(waiting)
            yield Piece(*whole[:2], whole.classes[:side], whole.confidence[:side])
            rest = Piece(
                whole.row + side, whole.column, whole.classes[side:], whole.confidence[side:]
            )
            waiting = [rest] if len(rest.classes) else []
    if waiting:
        yield _joined(waiting)


def _joined(pieces: list[Piece]) -> Piece:
    return Piece(
        *pieces[0][:2],
        np.concatenate([piece.classes for piece in pieces]),
        np.concatenate([piece.confidence for piece in pieces]),
    )
