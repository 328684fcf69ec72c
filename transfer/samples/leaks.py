"""What makes scores look better than they are, as far as it is quickly known: before every fit."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from transfer.errors import ManifestError
from transfer.samples.manifest import SPLITS, Manifest
from transfer.samples.ties import TIES, Numbers, ties
from transfer.settings import SplitSettings

CLEAN = "clean"
"""What is said of rows of which nothing quick to see is wrong."""

_SHOWN = 5


class Leak(NamedTuple):
    """Rows that belong together and lie in several splits.

    Attributes:
        tie: what they share: "group", "bytes" or "pixels".
        name: of the group; else the first file.
        rows: (split, row key, POSIX path below the root) of each, in the order of the splits.
    """

    tie: str
    name: str
    rows: tuple[tuple[str, str, str], ...]

    @property
    def splits(self) -> Counter[str]:
        """How many of the rows each split has."""
        return Counter(split for split, _, _ in self.rows)

    def __str__(self) -> str:
        if self.tie == "group":
            counts = ", ".join(f"{split} {count:,}" for split, count in self.splits.items())
            return f"group {self.name!r}: {counts} row(s)"
        first = {split: image for split, _, image in reversed(self.rows)}
        where = ", ".join(f"{split} {first[split]!r}" for split in SPLITS if split in first)
        return f"equal {self.tie}: {where}"


class Contradiction(NamedTuple):
    """One picture that has several labels: (label, row key, path) of each of its rows."""

    rows: tuple[tuple[str, str, str], ...]

    def __str__(self) -> str:
        first: dict[str, str] = {}
        for label, _, image in self.rows:
            first.setdefault(label, image)
        return ", ".join(f"{image!r} is {label or 'none'}" for label, image in first.items())


def find_leaks(manifest: Manifest) -> tuple[Leak, ...]:
    """Return what lies in several splits: groups, files of equal bytes, pictures of equal pixels.

    Rows without a split do not count. Equal bytes are not said again as equal pixels.

    Args:
        manifest: inspected rows, their groups as the data have them.
    """
    number_of = {"": -1, **{name: number for number, name in enumerate(SPLITS)}}
    splits = np.array([number_of[name] for name in manifest.rows["split"]], dtype=np.int64)
    said, found = np.zeros(len(manifest), np.bool_), list[Leak]()
    for tie, codes in zip(TIES, ties(manifest), strict=True):
        divided = _divided(codes, splits)
        fresh = divided if tie == "group" else divided & ~said
        # What is new in one of its rows is a leak of its own.
        wanted = np.isin(codes, codes[fresh]) & divided
        found += _leaks(tie, codes, np.flatnonzero(wanted), splits, manifest)
        said |= divided if tie == "bytes" else False
    return tuple(found)


def find_contradictions(manifest: Manifest) -> tuple[Contradiction, ...]:
    """Return the pictures of equal pixels whose rows do not have the same label."""
    rows = manifest.rows
    labels = pd.Series(pd.factorize(rows["label"])[0])
    pixels = pd.factorize(rows["pixels"])[0]
    odd = np.flatnonzero((labels.groupby(pixels).transform("nunique") > 1).to_numpy())
    table = rows.loc[odd, ["pixels", "label", "key", "image"]].sort_values(["pixels", "label"])
    return tuple(
        Contradiction(tuple(part[["label", "key", "image"]].itertuples(index=False, name=None)))
        for _, part in table.groupby("pixels", sort=False)
    )


def refuse_leaks(leaks: Sequence[Leak], settings: SplitSettings) -> None:
    """Refuse splits that divide what belongs together, unless that was asked for.

    Raises:
        ManifestError: with what lies where, and the ways out.
    """
    if not leaks or settings.allow_leaks:
        return
    more = f"\n  and {len(leaks) - _SHOWN:,} more" if len(leaks) > _SHOWN else ""
    lines = "\n  ".join(map(str, leaks[:_SHOWN]))
    raise ManifestError(
        f"the given splits leak: {amounts(leaks)} in several of them, so that scores would look "
        f"better than they are\n  {lines}{more}\n"
        "mend the splits (transfer audit lists everything); or draw new ones that divide nothing: "
        "--set split.ignore_given=true; or keep them: --allow-leaks, which the run then says "
        "beside its scores"
    )


def verdict(leaks: Sequence[Leak], settings: SplitSettings) -> str:
    """Return in words what a run says of its rows: `CLEAN`, or what is wrong with them."""
    said = []
    if settings.ignore_groups:
        said.append("groups ignored")
    if leaks:
        said.append(f"leaks allowed: {amounts(leaks)}")
    return ", ".join(said) or CLEAN


def amounts(leaks: Sequence[Leak]) -> str:
    """Return how many there are, by what they share: "2 groups, 1 of equal pixels"."""
    counts = Counter(leak.tie for leak in leaks)
    names = {"group": "group" if counts["group"] == 1 else "groups"}
    return ", ".join(
        f"{counts[tie]:,} {names.get(tie, f'of equal {tie}')}" for tie in TIES if counts[tie]
    )


def among(leaks: Sequence[Leak], splits: set[str]) -> tuple[Leak, ...]:
    """Return the leaks between those `splits` alone."""
    return tuple(leak for leak in leaks if len(splits & set(leak.splits)) > 1)


def _divided(codes: Numbers, splits: Numbers) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return which rows have others of their code in another split: (N,)."""
    named = pd.Series(splits).where(splits >= 0)  # gaps do not count
    several = (named.groupby(codes).transform("nunique") > 1).to_numpy()
    divided: np.ndarray[tuple[int], np.dtype[np.bool_]] = several & (splits >= 0)
    return divided


def _leaks(
    tie: str, codes: Numbers, rows: Numbers, splits: Numbers, manifest: Manifest
) -> list[Leak]:
    """Return one leak for each code of `rows`, in the order in which they come."""
    order = rows[np.argsort(splits[rows], kind="stable")]
    of_code: dict[int, list[int]] = {code: [] for code in codes[rows].tolist()}
    for row in order.tolist():
        of_code[int(codes[row])].append(row)
    keys, images, groups = (manifest.rows[name].tolist() for name in ("key", "image", "group"))
    return [
        Leak(
            tie,
            groups[members[0]] if tie == "group" else images[members[0]],
            tuple((SPLITS[splits[row]], keys[row], images[row]) for row in members),
        )
        for members in of_code.values()
    ]
