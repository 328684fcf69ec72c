"""Parts of the rows that are judged by themselves: small, cut off, hidden, dark."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.driving_objects.settings import Settings

Mask = NDArray[np.bool_]


def slices(facts: pd.DataFrame, settings: Settings) -> dict[str, Mask]:
    """Return the rows of each slice by its name, such as `height_under_25`, (N,) each.

    Rows of which a fact is not known are in none of its slices. A slice of no row or of all of them
    says nothing, and is left out.

    Args:
        facts: of N rows. Columns, where known: `height_px`, px; `truncated`, a share, or 0 and 1;
            `occluded`, a level such as KITTI's 0 (visible) to 3 (nobody knows); `brightness`, 0 to
            1.
        settings: the edges between slices.
    """
    parts = (
        _between("height", _numbers(facts, "height_px"), settings.heights),
        _between("truncated", _numbers(facts, "truncated"), settings.truncations),
        _levels("occluded", _numbers(facts, "occluded")),
        _between("brightness", _numbers(facts, "brightness"), settings.brightnesses),
    )
    return {name: mask for part in parts for name, mask in part if mask.any() and not mask.all()}


def _numbers(facts: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return a column as numbers (N,), nan where it says nothing."""
    if column not in facts:
        return np.full(len(facts), np.nan)
    numbers: NDArray[np.float64] = pd.to_numeric(facts[column], errors="coerce").to_numpy(float)
    return np.where(numbers < 0, np.nan, numbers)  # KITTI's -1: not said


def _between(
    name: str, numbers: NDArray[np.float64], edges: Sequence[float]
) -> Iterator[tuple[str, Mask]]:
    ends = (-np.inf, *edges, np.inf)
    for low, high in pairwise(ends):
        within = (numbers >= low) & (numbers < high)
        if low == -np.inf:
            yield f"{name}_under_{high:g}", within
        else:
            yield f"{name}_from_{low:g}" + (f"_to_{high:g}" if high < np.inf else ""), within


def _levels(name: str, numbers: NDArray[np.float64]) -> Iterator[tuple[str, Mask]]:
    for level in np.unique(numbers[~np.isnan(numbers)]):
        yield f"{name}_{level:g}", numbers == level
