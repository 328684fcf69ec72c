"""Windows that overlap, and the mean of what they say of each place, without seams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.errors import RecipeError
from transfer.images.geotiff import Window

Votes = NDArray[np.float32]
"""What a row of windows says, (windows, K + 1): probabilities times a weight, then the weight."""


@dataclass(frozen=True)
class Grid:
    """How windows and the cells of a map lie over a scene; all in px of the scene.

    Windows begin at every multiple of the stride, the last ones reach over the edge by less than a
    stride. A *strip* is a part of the scene as high (or as wide) as the stride: `overlap` rows of
    windows touch it, and no others.

    Attributes:
        height, width: of the scene.
        window: side of a window.
        stride: from one window to the next; divides the window.
        cell: side of a pixel of the map; divides the stride.
    """

    height: int
    width: int
    window: int
    stride: int
    cell: int

    def __post_init__(self) -> None:
        """Refuse windows that do not fit.

        Raises:
            RecipeError: the scene is smaller than a window, or the stride does not divide it.
        """
        if self.window > min(self.height, self.width):
            raise RecipeError(
                f"the scene has {self.width} x {self.height} px, less than a window of "
                f"{self.window} px, which is what the network knows: give a larger scene"
            )
        if self.stride < 1 or self.window % self.stride:
            fit = [side for side in range(1, self.window + 1) if self.window % side == 0]
            raise RecipeError(
                f"--stride {self.stride} does not divide a window of {self.window} px; "
                f"take one of {', '.join(map(str, fit))}"
            )

    @property
    def overlap(self) -> int:
        """How many windows lie over each place in each direction, but at the edges."""
        return self.window // self.stride

    @property
    def fineness(self) -> int:
        """Cells in a stride."""
        return self.stride // self.cell

    @property
    def windows(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        return self._windows(self.height), self._windows(self.width)

    @property
    def strips(self) -> tuple[int, int]:
        """Strips as wide as the stride, down and across."""
        return -(-self.height // self.stride), -(-self.width // self.stride)

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of the map; the last ones may reach over the edge."""
        return -(-self.height // self.cell), -(-self.width // self.cell)

    def touching(self, first: int, last: int) -> tuple[int, int]:
        """Return the columns of windows, first and behind the last, that touch strips across."""
        return max(0, first - self.overlap + 1), min(last, self.windows[1])

    def samples(self, across: int) -> list[Window]:
        """Return windows inside the scene, spread evenly, at most `across` in each direction."""
        rows, columns = (
            sorted({int(start) for start in np.linspace(0, length - self.window, across)})
            for length in (self.height, self.width)
        )
        return [Window(row, column, self.window, self.window) for row in rows for column in columns]

    def _windows(self, length: int) -> int:
        return -(-(length - self.window) // self.stride) + 1


def weights(cells: int) -> NDArray[np.float32]:
    """Return the weight of a window over its `cells` in one direction, (cells,).

    A raised cosine (Hann): what a window says counts in its middle and fades towards its edges,
    where the next windows take over, so that none begins or ends abruptly.
    """
    middles = (np.arange(cells) + 0.5) / cells
    return (np.sin(np.pi * middles) ** 2).astype(np.float32)


def blend(
    votes: Sequence[Votes | None], first: int, strips: tuple[int, int], grid: Grid
) -> NDArray[np.float32]:
    """Return the weighted mean of what windows say about the cells of one strip.

    Args:
        votes: of the `overlap` rows of windows that touch the strip, from top to bottom; None where
            the scene has ended or not begun.
        first: the column of windows that each of `votes` begins with.
        strips: first and behind the last of the strips across that are asked about.
        grid: how all of it lies.

    Returns:
        (fineness, cells across, K) float32; 0 where no window had anything to say.
    """
    fine, overlap = grid.fineness, grid.overlap
    weight = weights(fine * overlap).reshape(overlap, fine)
    # The last of the rows of windows begins at this strip, the one before a stride further up.
    down = sum(
        weight[overlap - 1 - place][:, np.newaxis, np.newaxis] * said
        for place, said in enumerate(votes)
        if said is not None
    )
    behind = first + np.shape(down)[1]
    total = np.zeros((fine, strips[1] - strips[0], fine, np.shape(down)[2]), np.float32)
    for back in range(overlap):  # the windows that begin so many strides to the left
        begin, end = max(strips[0], first + back), min(strips[1], behind + back)
        if begin < end:
            said = np.asarray(down)[:, begin - back - first : end - back - first, np.newaxis]
            total[:, begin - strips[0] : end - strips[0]] += weight[back][:, np.newaxis] * said
    cells = total.reshape(fine, -1, total.shape[3])
    mean: NDArray[np.float32] = np.divide(
        cells[..., :-1], cells[..., -1:], out=np.zeros_like(cells[..., :-1]),
        where=cells[..., -1:] > 0,
    )  # fmt: skip
    return mean
