"""Train, val, calibration and test, without dividing a group."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.errors import ManifestError
from transfer.samples.dealing import Group, deal
from transfer.samples.manifest import DERIVED, SPLITS, Manifest
from transfer.samples.target import CODES, occurrences
from transfer.samples.ties import merge_tied
from transfer.settings import SplitSettings

_TRAIN = SPLITS.index("train")
_OPEN = len(SPLITS)  # in the place of a split's number: still to be dealt
_SHOWN = 5

_Numbers = NDArray[np.int64]


def assign_splits(
    manifest: Manifest, settings: SplitSettings, previous: Mapping[str, str] | None = None
) -> Manifest:
    """Return the manifest with a split on every row; no group is divided.

    Rows of equal bytes or equal pixels become one group first. Given val, calibration and test rows
    stay what they are. What is missing is carved out of the other rows (given as train, or without
    a split), in shares that keep their proportion to train; a group that also has rows in a given
    part stays in train. Groups are put into the order of their smallest row key before the seed
    shuffles them, so that names and order of files and groups change nothing. How classes are kept
    in proportion: see `deal`. Of an identity whose people are a group each the people are dealt.

    Args:
        manifest: inspected rows.
        settings: shares and seed.
        previous: row key -> split of an earlier run. Its rows stay where they were, new rows of an
            old group follow it (to the first of several splits, in the order of `SPLITS`), and new
            groups fill up what is below its share.

    Raises:
        ManifestError: the rows have not been inspected, or a class has too few groups. A label of a
            multi label target, or a person, with too few of them is in train first.
    """
    if missing := [name for name in DERIVED if name not in manifest.rows]:
        raise ManifestError(f"the manifest has no {missing}; call inspect before assign_splits")
    manifest = merge_tied(manifest)
    splits = _dealt(_decided(manifest, previous or {}), manifest, settings)
    return manifest.with_columns(split=np.array(SPLITS)[splits])


def split_counts(manifest: Manifest) -> pd.DataFrame:
    """Return how many rows each class (index) has in each split that occurs (columns)."""
    rows, numbers = occurrences(manifest.targets)
    splits = manifest.rows["split"].to_numpy()
    counts = pd.crosstab(np.array(manifest.classes, dtype=object)[numbers], splits[rows])
    present = [split for split in SPLITS if split in splits]
    counts = counts.reindex(index=list(manifest.classes), columns=present, fill_value=0)
    return counts.rename_axis(index="class", columns="split")


def groups_of(manifest: Manifest, rows: _Numbers) -> tuple[_Numbers, list[Group]]:
    """Return the group of each of `rows` (n,), and what each group holds, ready to be dealt.

    Groups are numbered in the order of their smallest row keys, so that no name moves a row. Rows
    without a label are a class of their own behind the others.
    """
    members, classes, _ = _memberships(manifest)
    numbers = _by_smallest_key(manifest, rows)
    group_of_row = np.full(len(manifest), -1)
    group_of_row[rows] = numbers
    of_member = group_of_row[members]
    asked = of_member >= 0
    return numbers, _groups(of_member[asked], classes[asked], np.bincount(numbers))


def _shares(manifest: Manifest, settings: SplitSettings) -> dict[int, float]:
    """Return the share of each split that is to be made, by its number; together 1."""
    held_out = {"val": settings.val, "calibration": settings.calibration, "test": settings.test}
    given = set(manifest.rows["split"])
    shares = {"train": 1 - sum(held_out.values())}
    shares |= {name: share for name, share in held_out.items() if share and name not in given}
    return {SPLITS.index(name): share / sum(shares.values()) for name, share in shares.items()}


def _decided(manifest: Manifest, previous: Mapping[str, str]) -> _Numbers:
    """Return the number of the split of each row (N,), `_OPEN` where it is still to be dealt."""
    number_of = {name: number for number, name in enumerate(SPLITS)}
    rows = manifest.rows
    given = rows["split"].where(rows["split"] != "train", "").map(number_of)
    before = rows["key"].map(previous).map(number_of)
    before = before.where(~before.isin(given))  # what is given is not added to
    splits = given.fillna(before).fillna(_OPEN).to_numpy().astype(np.int64)
    free = given.isna().to_numpy()
    groups = pd.factorize(manifest.group_numbers())[0]
    inherited = np.full(groups.max() + 1, _OPEN)
    np.minimum.at(inherited, groups[free], splits[free])
    held_out = np.zeros(len(inherited), np.bool_)
    held_out[groups[~free]] = True
    inherited[held_out & (inherited == _OPEN)] = _TRAIN
    return np.where(splits == _OPEN, inherited[groups], splits)


def _dealt(splits: _Numbers, manifest: Manifest, settings: SplitSettings) -> _Numbers:
    """Return `splits` with the open rows dealt out."""
    shares = _shares(manifest, settings)
    members, classes, kinds = _memberships(manifest)
    held = [
        np.bincount(classes[splits[members] == part], minlength=kinds).tolist() for part in shares
    ]
    rows = np.flatnonzero(splits == _OPEN)
    numbers, groups = groups_of(manifest, rows)
    strict = CODES[manifest.target].everywhere
    if strict:
        _refuse_too_few(manifest, [SPLITS[part] for part in shares], held, groups)
    sizes = [int((splits == part).sum()) for part in shares]
    dealt = deal(groups, list(shares.values()), held, settings.seed, sizes=sizes, strict=strict)
    if dealt is None:
        raise ManifestError(
            "no way was found to give every split a group of every class, because groups hold "
            "several classes; try another split.seed, or give the splits with the data"
        )
    splits = splits.copy()
    splits[rows] = np.array(list(shares))[dealt][numbers]
    return splits


def _by_smallest_key(manifest: Manifest, rows: _Numbers) -> _Numbers:
    """Return the group of each of `rows`, numbered in the order of their smallest row keys."""
    order = np.argsort(manifest.rows["key"].to_numpy()[rows])
    numbers = np.empty(len(rows), np.int64)
    numbers[order] = pd.factorize(manifest.group_numbers()[rows][order])[0]
    return numbers


def _memberships(manifest: Manifest) -> tuple[_Numbers, _Numbers, int]:
    """Return rows (M,) and classes (M,) of every class that a row has, and how many classes.

    Rows without a label are a class of their own, the last one, so that each split gets its share.
    Where each person is one group, nobody can be in several splits: all count as one class, so that
    the splits are of people, in their shares.
    """
    rows, classes = occurrences(manifest.targets)
    if CODES[manifest.target].strangers and _each_in_one_group(manifest):
        return rows, np.zeros_like(classes), 1
    unlabelled = np.setdiff1d(np.arange(len(manifest)), rows)
    last = np.full(len(unlabelled), len(manifest.classes))
    kinds = len(manifest.classes) + bool(len(unlabelled))
    return np.concatenate([rows, unlabelled]), np.concatenate([classes, last]), kinds


def _each_in_one_group(manifest: Manifest) -> bool:
    pairs = pd.DataFrame({"class": manifest.targets, "group": manifest.group_numbers()})
    return len(pairs.drop_duplicates()) == pairs["class"].nunique()


def _groups(numbers: _Numbers, classes: _Numbers, sizes: _Numbers) -> list[Group]:
    """Return the groups with their `sizes` (G,) from group (M,) and class (M,) of their rows."""
    kinds = classes.max(initial=0) + 1
    pairs, counts = np.unique(numbers * kinds + classes, return_counts=True)
    inside: list[list[tuple[int, int]]] = [[] for _ in sizes]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        inside[pair // kinds].append((pair % kinds, count))
    return [Group(*group) for group in zip(inside, sizes.tolist(), strict=True)]


def _refuse_too_few(
    manifest: Manifest, names: Sequence[str], held: Sequence[Sequence[int]], groups: Sequence[Group]
) -> None:
    free = Counter(number for group in groups for number, _ in group.classes)
    short = []
    for number, label in enumerate(manifest.classes):
        lacking = [name for name, rows in zip(names, held, strict=True) if not rows[number]]
        if free[number] < len(lacking):
            short.append(f"class {label!r} has {free[number]} for {', '.join(lacking)}")
    if short:
        more = f"\n  and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
        raise ManifestError(
            "too few groups to split; each split needs one of every class, and pictures of one "
            "group, or equal ones, count as one:\n  " + "\n  ".join(short[:_SHOWN]) + more + "\n"
            "add pictures of the class, leave the class out, or give the splits with the data"
        )
