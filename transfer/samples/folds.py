"""Folds, and parts of the training rows that contain each other, without dividing a group."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ManifestError
from transfer.samples.dealing import Group, deal
from transfer.samples.manifest import Manifest
from transfer.samples.split import assign_splits, groups_of
from transfer.samples.target import CODES
from transfer.settings import SplitSettings

_SHOWN = 5


def deal_folds(manifest: Manifest, folds: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, 0 to `folds` - 1, and -1 for test rows, which stay out: (N,).

    Every fold has a group of every class; how classes are kept in proportion: see `deal`.

    Args:
        manifest: rows with splits; which of the others than test a row is in does not matter.
        folds: how many.
        seed: of the split; nothing else moves a row.

    Raises:
        ManifestError: a class has fewer groups than there are folds.
    """
    rows = np.flatnonzero(manifest.rows["split"].to_numpy() != "test")
    numbers, groups = groups_of(manifest, rows)
    strict = CODES[manifest.target].everywhere
    if strict:
        _refuse_too_few(manifest, groups, folds)
    nothing = [[0] * _kinds(manifest, groups)] * folds
    dealt = deal(groups, [1 / folds] * folds, nothing, seed, sizes=[0] * folds, strict=strict)
    if dealt is None:
        raise ManifestError(
            f"no way was found to give each of {folds} folds a group of every class, because "
            "groups hold several classes; take fewer folds or another split.seed"
        )
    of_row = np.full(len(manifest), -1, np.int64)
    of_row[rows] = dealt[numbers]
    return of_row


def held_out(
    manifest: Manifest, of_row: NDArray[np.int64], fold: int, settings: SplitSettings
) -> Manifest:
    """Return the rows of all folds, those of `fold` as test; val is carved out of the others.

    Args:
        manifest: the rows, test rows among them; those are left out.
        of_row: fold of each row (N,), -1 for none.
        fold: which one judges.
        settings: share of val, and the seed.

    Raises:
        ManifestError: the other folds have too few groups of a class for train and val.
    """
    split = np.where(of_row == fold, "test", "")
    return assign_splits(manifest.with_columns(split=split).keep(of_row >= 0), settings)


def nested_parts(
    manifest: Manifest, fractions: Sequence[float], seed: int
) -> list[NDArray[np.int64]]:
    """Return the numbers of training rows of each fraction, in the order of the fractions.

    A smaller part is contained in every larger one, has whole groups, and at least one of each
    class; classes keep their proportion as far as groups allow.

    Args:
        manifest: rows with splits.
        fractions: shares of the training rows, in (0, 1].
        seed: of the split.

    Raises:
        ManifestError: no part of whole groups has every class.
    """
    rows, whole, parts = manifest.numbers("train"), 1.0, dict[float, NDArray[np.int64]]()
    for fraction in sorted(set(fractions), reverse=True):
        if fraction < whole:
            rows, whole = _part(manifest, rows, fraction / whole, seed), fraction
        parts[fraction] = rows
    return [parts[fraction] for fraction in fractions]


def _part(
    manifest: Manifest, rows: NDArray[np.int64], share: float, seed: int
) -> NDArray[np.int64]:
    numbers, groups = groups_of(manifest, rows)
    present = {number for group in groups for number, _ in group.classes}
    absent = [int(number not in present) for number in range(_kinds(manifest, groups))]
    # What is left aside is said to hold every class already: only the part itself must.
    held = [absent, [1] * len(absent)]
    strict = CODES[manifest.target].everywhere
    dealt = deal(groups, [share, 1 - share], held, seed, sizes=[0, len(absent)], strict=strict)
    if dealt is None:
        raise ManifestError(
            "no part of the training rows was found that has whole groups and every class; "
            "take larger fractions or another split.seed"
        )
    part: NDArray[np.int64] = rows[dealt[numbers] == 0]
    return part


def _kinds(manifest: Manifest, groups: Sequence[Group]) -> int:
    """Return how many classes there are to deal; rows without a label may be one more."""
    last = max((number for group in groups for number, _ in group.classes), default=-1)
    return max(len(manifest.classes), last + 1)


def _refuse_too_few(manifest: Manifest, groups: Sequence[Group], folds: int) -> None:
    counts = Counter(number for group in groups for number, _ in group.classes)
    short = [
        f"class {label!r} has {counts[number]}"
        for number, label in enumerate(manifest.classes)
        if counts[number] < folds
    ]
    if short:
        more = f"\n  and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
        raise ManifestError(
            f"too few groups for {folds} folds; each needs one of every class, and pictures of "
            "one group, or equal ones, count as one:\n  "
            + "\n  ".join(short[:_SHOWN])
            + more
            + "\ntake fewer folds, add pictures of the class, or leave the class out"
        )
