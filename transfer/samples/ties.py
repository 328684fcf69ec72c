"""What ties rows together, so that no split may divide them: groups, equal bytes, equal pixels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.samples.manifest import Manifest

Numbers = NDArray[np.int64]

TIES = ("group", "bytes", "pixels")
"""By what rows are tied, in the order of `ties`."""


def ties(manifest: Manifest) -> list[Numbers]:
    """Return the groups, the bytes and the pixels of inspected rows as numbers (N,) each."""
    alike = [pd.factorize(manifest.rows[name])[0] for name in ("content", "pixels")]
    return [pd.factorize(codes)[0].astype(np.int64) for codes in (manifest.group_numbers(), *alike)]


def connected(of_rows: Sequence[Numbers]) -> Numbers:
    """Return a number (N,) for each row, the same for rows that any chain of ties connects."""
    numbers = np.arange(len(of_rows[0]))
    while True:
        before = numbers
        for codes in of_rows:
            lowest = np.full(codes.max() + 1, len(codes))
            np.minimum.at(lowest, codes, numbers)
            numbers = lowest[codes]
        if np.array_equal(numbers, before):
            return numbers


def merge_tied(manifest: Manifest, more: Sequence[Numbers] = ()) -> Manifest:
    """Return the manifest with one group where groups share bytes or pixels, or any tie of `more`.

    It takes the first of their names, or else the smallest row key.

    Args:
        manifest: inspected rows.
        more: other ties, a number (N,) for each row each.
    """
    own, *alike = ties(manifest)
    merged = connected([own, *alike, *more])
    several = (pd.Series(own).groupby(merged).transform("nunique") > 1).to_numpy()
    unnamed = manifest.rows["group"] == ""
    names = manifest.rows["group"].where(~unnamed, manifest.rows["key"])
    table = pd.DataFrame({"unnamed": unnamed, "name": names, "merged": merged})
    table = table.sort_values(["unnamed", "name"])
    first = table.groupby("merged")["name"].transform("first").sort_index()
    return manifest.with_columns(group=manifest.rows["group"].where(~several, first))
