"""Facts of files, without a look at what they show, and whether they give the label away."""

import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier

from transfer.auditing.found import Shortcut
from transfer.errors import ImageError
from transfer.samples.manifest import Row

FOLDS = 5
_DEPTH, _LEAF = 4, 5
_DRAWS = 3  # of labels by lot


class FileFacts(NamedTuple):
    """What is known of a file before it is decoded; of an object in a frame, the size of its box.

    Attributes:
        width, height: px.
        size: bytes.
        format: as PIL names it, else the ending of the name.
        mode: as PIL names it; "" where it reads no such file.
    """

    width: int
    height: int
    size: int
    format: str
    mode: str


def read_facts(row: Row, side_px: tuple[int, int]) -> FileFacts:
    """Return the facts of the file of a row; `side_px` is its width and height where PIL fails."""
    try:
        source = row.source()
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as picture:
            found = FileFacts(*picture.size, size, picture.format or "", picture.mode)
    except (OSError, ImageError, UnidentifiedImageError, ValueError):
        size = row.path.stat().st_size if row.path.is_file() else 0
        found = FileFacts(*side_px, size, row.path.suffix.lstrip(".").upper(), "")
    if row.box is None:
        return found
    left, top, right, bottom = row.box
    return found._replace(width=round(right - left), height=round(bottom - top))


def shortcut(
    facts: Sequence[FileFacts],
    brightness: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    seed: int,
) -> Shortcut | None:
    """Return how well shallow trees tell labels from facts, on groups they never saw.

    Chance is what the same trees reach where the labels of groups were drawn by lot. None where a
    class has too few groups to be held out.

    Args:
        facts: of N files.
        brightness: mean of each picture, (N,).
        labels: class number of each row, (N,).
        groups: of each row, (N,).
        seed: of folds and lots.
    """
    table = _columns(facts, brightness)
    if not can_be_held_out(labels, groups):
        return None
    varied = {name: column for name, column in table.items() if np.ptp(column) > 0}
    if not varied:
        return Shortcut(1 / len(np.unique(labels)), 1 / len(np.unique(labels)), {})
    folds = held_out_folds(labels, groups, seed)
    everything = np.stack(list(varied.values()), axis=1)
    random = np.random.default_rng(seed)
    chance = [_score(everything, _by_lot(labels, groups, random), folds) for _ in range(_DRAWS)]
    alone = {name: _score(column[:, None], labels, folds) for name, column in varied.items()}
    of_facts = dict(sorted(alone.items(), key=lambda item: -item[1]))
    return Shortcut(_score(everything, labels, folds), float(np.mean(chance)), of_facts)


def _columns(
    facts: Sequence[FileFacts], brightness: NDArray[np.float64]
) -> Mapping[str, NDArray[np.float64]]:
    columns = {"mean brightness": brightness}
    for name in FileFacts._fields:
        values = np.array([getattr(each, name) for each in facts])
        numbers = values if values.dtype.kind in "if" else np.unique(values, return_inverse=True)[1]
        columns["bytes" if name == "size" else name] = numbers.astype(np.float64)
    return columns


def can_be_held_out(labels: NDArray[np.int64], groups: NDArray[np.int64]) -> bool:
    """Say whether each class has groups enough for one in two folds at least."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return bool(len(np.unique(labels)) > 1 and np.unique(pairs[0], return_counts=True)[1].min() > 1)


def held_out_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return (rows to fit on, rows held out) of each fold; no group is divided."""
    count = min(FOLDS, len(np.unique(groups)))
    dealt = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # it is in fewer folds
        return list(dealt.split(labels, labels, groups))


def _score(
    table: NDArray[np.float64],
    labels: NDArray[np.int64],
    folds: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> float:
    said = np.empty_like(labels)
    for fitted, held_out in folds:
        tree = DecisionTreeClassifier(
            max_depth=_DEPTH, min_samples_leaf=_LEAF, class_weight="balanced", random_state=0
        )
        said[held_out] = tree.fit(table[fitted], labels[fitted]).predict(table[held_out])
    return float(balanced_accuracy_score(labels, said))


def _by_lot(
    labels: NDArray[np.int64], groups: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return labels in which each group has that of another one."""
    numbers, first, of_row = np.unique(groups, return_index=True, return_inverse=True)
    drawn: NDArray[np.int64] = labels[first][random.permutation(len(numbers))][of_row]
    return drawn
