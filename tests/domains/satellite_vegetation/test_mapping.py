import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from tasks.satellite_vegetation import blending, mapping
from tasks.satellite_vegetation.blending import Grid
from tasks.satellite_vegetation.mapping import map_pieces, windows_to_see
from transfer.images.geotiff import Land, Window

LEVELS = np.array([0.2, 0.5, 0.8], np.float32)


class Drawn:
    """A scene of any size that is nowhere: the value of a px follows from its row and column."""

    def __init__(
        self,
        value: Callable[[np.ndarray, np.ndarray], np.ndarray],
        held: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda row, _: row >= 0,
    ) -> None:
        self.value, self.held = value, held

    def read(self, window: Window) -> Land:
        rows = np.arange(window.row, window.row + window.height)[:, None]
        columns = np.arange(window.column, window.column + window.width)[None]
        shape = window.height, window.width
        pixels = np.broadcast_to(self.value(rows, columns), shape).astype(np.float32)
        return Land(pixels[..., None], np.broadcast_to(self.held(rows, columns), shape).copy())


def nearest_level(windows: list[np.ndarray]) -> np.ndarray:
    """Say of each window which of the levels its mean is nearest to, quite surely."""
    means = np.array([window.mean() for window in windows], np.float32).reshape(-1, 1)
    near = np.exp(-(((means - LEVELS) / 0.1) ** 2))
    return (near / near.sum(axis=1, keepdims=True)).astype(np.float32)


def mean_as_probability(windows: list[np.ndarray]) -> np.ndarray:
    """Say class 1 as surely as the middle of the window is bright, else class 2."""
    mean = np.array([window.mean() for window in windows], np.float32)
    return np.stack([mean, 1 - mean], axis=1)


def whole(scene: Drawn, grid: Grid, predict: Callable = nearest_level) -> np.ndarray:
    """Return classes and confidence, (2, rows, columns), put together from the pieces."""
    found = np.full((2, *grid.cells), 255, np.uint8)
    seen: list[int] = []
    for piece in map_pieces(scene, grid, predict, seen.append):
        height, width = piece.classes.shape
        part = np.s_[piece.row : piece.row + height, piece.column : piece.column + width]
        assert (found[0][part] == 255).all()  # no cell comes twice
        found[0][part], found[1][part] = piece.classes, piece.confidence
    assert (found[0] != 255).all()
    assert sum(seen) == windows_to_see(grid)
    return found


@pytest.fixture
def narrow_swaths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "_SWATH_PX", 64)


@pytest.mark.parametrize("cell", [1, 8])
@pytest.mark.parametrize("size", [(160, 192), (157, 201)])
def test_a_scene_of_fields_is_named_right(size: tuple[int, int], cell: int) -> None:
    field = 40
    truth = np.random.default_rng(0).integers(0, 3, (8, 8))
    scene = Drawn(lambda row, column: LEVELS[truth[row // field, column // field]])
    grid = Grid(*size, 16, 8, cell)
    classes, confidence = whole(scene, grid)
    rows, columns = (((np.arange(count) + 0.5) * cell).astype(int) for count in grid.cells)
    expected = truth[np.ix_(rows // field, columns // field)] + 1
    # As far from the edge of a field as the windows over a place reach.
    inner = np.ix_(*(abs(place % field - field / 2) < field / 2 - 16 for place in (rows, columns)))
    assert (classes[inner] == expected[inner]).all()
    assert (confidence[inner] >= 99).all()
    assert (classes == expected).mean() > 0.75
    assert confidence.min() >= 1


def test_there_are_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    # On a slope, what windows say differs from one to the next; the map has to go up evenly.
    width, stride = 1000, 32
    slope = Drawn(lambda _, column: column / width)

    def steps() -> np.ndarray:
        """Return by how many percent the map changes from px to px, far from the edges."""
        grid = Grid(64, width, 64, stride, 1)
        classes, surely = whole(slope, grid, mean_as_probability).astype(int)
        return np.diff(np.where(classes == 1, surely, 100 - surely)[30, 100:900])

    blended = steps()
    assert set(blended.tolist()) == {0, 1}
    over_8_px = np.convolve(blended, np.ones(8), "valid")
    assert over_8_px.max() <= np.pi / 2 * 8 * 100 / width + 1  # the steepest of the cosine
    monkeypatch.setattr(blending, "weights", lambda cells: np.ones(cells, np.float32))
    assert steps().max() >= 3  # where all of a window counts alike, a stride makes one step


@pytest.mark.usefixtures("narrow_swaths")
def test_swaths_and_tiles_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    land = rng.uniform(0, 1, (200, 260)).repeat(2, 0).repeat(2, 1)
    scene = Drawn(lambda row, column: land[row, column])
    for grid in (Grid(333, 451, 16, 8, 1), Grid(333, 451, 24, 8, 2), Grid(333, 451, 16, 4, 4)):
        in_swaths = whole(scene, grid)
        assert len(mapping.swaths(grid)) > 3
        with monkeypatch.context() as wide:
            wide.setattr(mapping, "_SWATH_PX", 4096)
            assert np.array_equal(whole(scene, grid), in_swaths)


@pytest.mark.parametrize("cell", [1, 4, 8])
def test_what_holds_no_data_stays_so_and_is_not_looked_at(cell: int) -> None:
    def held_at(row: np.ndarray, column: np.ndarray) -> np.ndarray:
        return (row < 48) | (column >= 64)

    looked: list[float] = []

    def predict(windows: list[np.ndarray]) -> np.ndarray:
        looked.extend(float((window == 0).mean()) for window in windows)
        return nearest_level(windows)

    scene = Drawn(lambda row, column: np.where(held_at(row, column), 0.5, 0), held_at)
    grid = Grid(100, 120, 16, 8, cell)
    classes, confidence = whole(scene, grid, predict)
    held = np.broadcast_to(held_at(np.arange(100)[:, None], np.arange(120)[None]), (100, 120))
    assert np.array_equal(classes > 0, held[::cell, ::cell])
    assert np.array_equal(confidence > 0, classes > 0)
    assert max(looked) < 1
    assert (classes[:4, :4] == 2).all()


def test_a_cell_needs_data_in_half_of_it() -> None:
    scene = Drawn(lambda row, _: 0.2 + 0 * row, lambda row, column: (column % 8 < 4) | (row < 40))
    assert (whole(scene, Grid(80, 80, 16, 8, 8))[0] == 1).all()
    scene = Drawn(lambda row, _: 0.2 + 0 * row, lambda row, column: (column % 8 < 3) | (row < 40))
    classes, _ = whole(scene, Grid(80, 80, 16, 8, 8))
    assert (classes[:5] == 1).all()
    assert (classes[5:] == 0).all()


@pytest.mark.usefixtures("narrow_swaths")
@pytest.mark.parametrize("cell", [1, 8])
def test_memory_does_not_grow_with_the_scene(cell: int) -> None:
    scene = Drawn(lambda row, column: (row + column) % 7 / 7)

    def peak(height: int, width: int) -> tuple[int, int]:
        """Return the bytes, and the windows at once, of the map of a scene of that size."""
        most = 0

        def predict(windows: list[np.ndarray]) -> np.ndarray:
            nonlocal most
            most = max(most, len(windows))
            return np.full((len(windows), 2), 0.5, np.float32)

        tracemalloc.start()
        for piece in map_pieces(scene, Grid(height, width, 16, 8, cell), predict, lambda _: None):
            del piece
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used, most

    peak(128, 384)  # what is made once
    small, windows = peak(128, 384)
    for height, width in ((384, 384), (128, 1152)):
        large, more = peak(height, width)
        assert large < 1.2 * small
        assert more == windows
