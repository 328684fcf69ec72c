"""What a network is asked to predict: one table, kind of target -> labels <-> arrays."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ManifestError, RecipeError

SEPARATOR = "|"
"""Between the names of a row that has several labels."""

Targets = NDArray[Any]
"""Targets of N rows: (N,) int64 class numbers or ranks, or (N, K) float32 of 0 and 1."""


class TargetKind(StrEnum):
    """How labels are read, which loss is used and which scores make sense."""

    SINGLE_LABEL = "single_label"
    MULTI_LABEL = "multi_label"
    ORDINAL = "ordinal"
    IDENTITY = "identity"


@dataclass(frozen=True)
class Labelling:
    """What the labels of a data set mean, as its reader has to know.

    Attributes:
        kind: of the target.
        grades: names of the grades of an ordinal target, lowest first; none sorts them by the
            number that each starts with.
        columns: of a table, one 0/1 column for each label of a multi label target; none takes the
            column `label`, with the names of a row separated by "|".
    """

    kind: TargetKind = TargetKind.SINGLE_LABEL
    grades: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what this kind of target has no use for.

        Raises:
            RecipeError: grades that are no grades, columns without labels, or a name twice.
        """
        for names, what, kind in (
            (self.grades, "grades", TargetKind.ORDINAL),
            (self.columns, "label columns", TargetKind.MULTI_LABEL),
        ):
            if names and self.kind is not kind:
                raise RecipeError(
                    f"{what} {list(names)} are given for a target that is {self.kind.value!r}; "
                    f"leave them out, or make the target {kind.value!r}"
                )
            if len(set(names)) < len(names):
                raise RecipeError(f"{what} {list(names)} name one twice; give each once")


SINGLE_LABEL = Labelling()
"""One of several classes in each row."""


@dataclass(frozen=True)
class LabelCode:
    """How the label of a row, a text, becomes a target and comes back.

    Attributes:
        names: label -> the class names in it.
        encode: labels of N rows, K classes -> targets.
        decode: targets, K classes -> labels.
        order: the names that occur, the grades as given -> classes.
        fewest: classes that there must be.
        several: a row has any number of names, none included.
        everywhere: no split can do without rows of a class.
        strangers: other splits may have classes that train has not; the head then does without.
    """

    names: Callable[[str], tuple[str, ...]]
    encode: Callable[[Sequence[str], Sequence[str]], Targets]
    decode: Callable[[Targets, Sequence[str]], list[str]]
    order: Callable[[set[str], Sequence[str]], tuple[str, ...]]
    fewest: int
    several: bool
    everywhere: bool
    strangers: bool = False


def encode_labels(kind: TargetKind, labels: Sequence[str], classes: Sequence[str]) -> Targets:
    """Return the targets of `labels` (N,).

    Class numbers (N,) int64 of a single label and of an identity, ranks (N,) int64 in the order of
    `classes` of an ordinal target, and (N, K) float32 of 0 and 1 of a multi label target.
    """
    return CODES[kind].encode(labels, classes)


def decode_targets(kind: TargetKind, targets: Targets, classes: Sequence[str]) -> list[str]:
    """Return the labels of `targets`, as `encode_labels` reads them; several joined by "|"."""
    return CODES[kind].decode(targets, classes)


def occurrences(targets: Targets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row numbers (M,) and class numbers (M,) of every class that a row has."""
    if targets.ndim == 1:
        return np.arange(len(targets)), targets.astype(np.int64)
    rows, classes = np.nonzero(targets)
    return rows.astype(np.int64), classes.astype(np.int64)


def _whole(label: str) -> tuple[str, ...]:
    return (label,)


def _parts(label: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in label.split(SEPARATOR)) if label.strip() else ()


def _numbers(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    number_of = {name: number for number, name in enumerate(classes)}
    return np.fromiter((number_of[label] for label in labels), dtype=np.int64, count=len(labels))


def _names(targets: Targets, classes: Sequence[str]) -> list[str]:
    return [classes[number] for number in targets.tolist()]


def _indicators(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.float32]:
    number_of = {name: number for number, name in enumerate(classes)}
    targets = np.zeros((len(labels), len(classes)), dtype=np.float32)
    for row, label in enumerate(labels):
        targets[row, [number_of[name] for name in _parts(label)]] = 1
    return targets


def _joined(targets: Targets, classes: Sequence[str]) -> list[str]:
    return [SEPARATOR.join(classes[k] for k in np.flatnonzero(row).tolist()) for row in targets]


def _sorted(names: set[str], grades: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG001  # no grades
    return tuple(sorted(names))


def _graded(names: set[str], grades: Sequence[str]) -> tuple[str, ...]:
    if unknown := sorted(names - set(grades)) if grades else []:
        raise ManifestError(f"label(s) {unknown} are not among the grades {list(grades)}")
    if grades:
        return tuple(grade for grade in grades if grade in names)
    leading = {name: re.match(r"-?\d+", name) for name in names}
    numbers = {name: int(found.group()) for name, found in leading.items() if found}
    if len(set(numbers.values())) < len(names):
        raise ManifestError(
            f"the grades {sorted(names)} do not start with a number each, so that their order is "
            "not known; give it, lowest first, as the task's setting for grades"
        )
    return tuple(sorted(names, key=numbers.__getitem__))


CODES = {
    TargetKind.SINGLE_LABEL: LabelCode(
        _whole, _numbers, _names, _sorted, fewest=2, several=False, everywhere=True
    ),
    TargetKind.MULTI_LABEL: LabelCode(
        _parts, _indicators, _joined, _sorted, fewest=1, several=True, everywhere=False
    ),
    TargetKind.ORDINAL: LabelCode(
        _whole, _numbers, _names, _graded, fewest=2, several=False, everywhere=True
    ),
    # Persons of val and test may be others than those of train: what is learned is to compare.
    TargetKind.IDENTITY: LabelCode(
        _whole,
        _numbers,
        _names,
        _sorted,
        fewest=2,
        several=False,
        everywhere=False,
        strangers=True,
    ),
}
"""What a kind of target is, as far as labels and arrays go."""
