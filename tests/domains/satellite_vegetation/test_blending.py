import numpy as np
import pytest

from tasks.satellite_vegetation.blending import Grid, blend, weights
from transfer.errors import RecipeError


def by_hand(votes: np.ndarray, grid: Grid) -> np.ndarray:
    """Return the weighted mean at every px of the scene, window by window: (H, W, K).

    `votes` are of all windows, (rows, columns, K + 1).
    """
    side, step, cell = grid.window, grid.stride, grid.cell
    height, width = (count * cell for count in grid.cells)
    middles = (np.arange(side) // cell + 0.5) * cell
    weight = np.sin(np.pi * middles / side) ** 2
    total = np.zeros((height + side, width + side, votes.shape[2]))
    for row, column in np.ndindex(votes.shape[:2]):
        area = np.s_[row * step : row * step + side, column * step : column * step + side]
        total[area] += weight[:, None, None] * weight[None, :, None] * votes[row, column]
    total = total[:height, :width]
    return total[..., :-1] / total[..., -1:]


@pytest.mark.parametrize(
    ("height", "width", "window", "stride", "cell"),
    [
        (40, 56, 16, 8, 8),
        (41, 55, 16, 8, 8),
        (41, 55, 16, 4, 4),
        (41, 55, 16, 8, 1),
        (45, 33, 12, 6, 2),
        (33, 34, 16, 16, 16),
        (16, 16, 16, 8, 1),
    ],
)
def test_each_cell_is_the_weighted_mean_of_the_windows_over_it(
    height: int, width: int, window: int, stride: int, cell: int
) -> None:
    grid = Grid(height, width, window, stride, cell)
    rng = np.random.default_rng(0)
    shares = rng.uniform(0.1, 1, (*grid.windows, 1))
    votes = np.concatenate([rng.dirichlet([1, 1, 1], grid.windows) * shares, shares], axis=2)
    expected = by_hand(votes, grid)[::cell, ::cell]
    for first in (0, grid.strips[1] // 2):  # all of it, and a part
        strips = first, grid.strips[1]
        columns = grid.touching(*strips)
        for strip in range(grid.strips[0]):
            rows = range(strip - grid.overlap + 1, strip + 1)
            over = [
                votes[row, slice(*columns)].astype(np.float32)
                if 0 <= row < grid.windows[0]
                else None
                for row in rows
            ]
            mean = blend(over, columns[0], strips, grid)
            begin = strip * grid.fineness, first * grid.fineness
            there = expected[begin[0] :, begin[1] :][: mean.shape[0]]
            np.testing.assert_allclose(mean[: there.shape[0], : there.shape[1]], there, atol=2e-6)


def test_where_no_window_holds_data_nothing_is_said() -> None:
    grid = Grid(16, 16, 8, 4, 4)
    silent = np.zeros((3, 3), np.float32)
    assert (blend([None, silent], 0, (0, 4), grid) == 0).all()


@pytest.mark.parametrize("cells", [2, 4, 8, 32])
def test_windows_half_a_window_apart_count_together_as_one(cells: int) -> None:
    weight = weights(cells)
    np.testing.assert_allclose(weight[: cells // 2] + weight[cells // 2 :], 1, atol=1e-6)


def test_a_window_that_is_a_single_cell_counts() -> None:
    assert weights(1) == 1


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(RecipeError, match="70 x 50 px, less than a window of 64 px"):
        Grid(50, 70, 64, 32, 32)
    with pytest.raises(RecipeError, match="--stride 5 .* 12 px; take one of 1, 2, 3, 4, 6, 12"):
        Grid(50, 70, 12, 5, 5)


def test_samples_lie_in_the_scene_and_reach_its_corners() -> None:
    grid = Grid(100, 40, 16, 8, 8)
    samples = grid.samples(8)
    assert len(samples) == 64
    assert {(w.height, w.width) for w in samples} == {(16, 16)}
    assert (min(w.row for w in samples), max(w.row for w in samples)) == (0, 84)
    assert (min(w.column for w in samples), max(w.column for w in samples)) == (0, 24)
    assert len(Grid(16, 16, 16, 8, 8).samples(8)) == 1
