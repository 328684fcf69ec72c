"""What is looked for: classes, grades and labels as findings that are there or not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer import TargetKind
from transfer.errors import RecipeError
from transfer.samples.predictions import Predictions

_NOTHING = frozenset(
    {"0", "absent", "benign", "clear", "control", "false", "healthy", "negative", "no", "none"}
    | {"normal", "nothing", "unremarkable"}
)
_NOTHING_BEFORE = ("no ", "non ", "not ", "without ")


@dataclass(frozen=True)
class Finding:
    """Something that a picture shows or does not.

    Attributes:
        name: for people, and in the names of scores where there are several.
        classes: numbers of the classes that are it.
    """

    name: str
    classes: tuple[int, ...]

    def truth(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Return whether it is there, (N,)."""
        if predictions.targets.ndim == 1:
            return np.isin(predictions.targets, self.classes)
        return np.asarray(predictions.targets[:, self.classes].any(axis=1))

    def probabilities(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return how probable the network held it, (N,), in [0, 1]."""
        of_classes = predictions.probabilities[:, self.classes].astype(np.float64)
        return np.asarray(np.minimum(of_classes.sum(axis=1), 1.0))


def findings_of(
    classes: Sequence[str], kind: TargetKind, named: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Return what is looked for in pictures of these classes.

    Args:
        classes: in the order of the network's outputs.
        kind: of the target.
        named: classes that count as the finding together, or the lowest grade that does; none
            takes what the setting `finding` says.

    Raises:
        RecipeError: a name is no class, or nothing or everything would be the finding.
    """
    if unknown := [name for name in named if name not in classes]:
        raise RecipeError(f"task.finding = {unknown} is none of the classes {list(classes)}")
    if kind is TargetKind.MULTI_LABEL:
        if named:
            raise RecipeError(
                f"task.finding = {list(named)}, but each label of a multi label target is a "
                "finding of its own; leave it out"
            )
        return tuple(Finding(name, (number,)) for number, name in enumerate(classes))
    if kind is TargetKind.ORDINAL:
        return (_from_grade_on(classes, named),)
    if len(named) == len(classes):
        raise RecipeError(
            f"task.finding names all classes {list(classes)}; leave out those without"
        )
    if named:
        return (Finding(" or ".join(named), tuple(classes.index(name) for name in named)),)
    if len(classes) == 2:  # noqa: PLR2004  # with the finding, and without
        number = _likely(classes)[0]
        return (Finding(classes[number], (number,)),)
    return tuple(Finding(name, (number,)) for number, name in enumerate(classes))


def choice(classes: Sequence[str], kind: TargetKind, named: Sequence[str]) -> str:
    """Return how the finding was chosen, for a person; "" where there was nothing to choose."""
    if named or kind is TargetKind.MULTI_LABEL:
        return ""
    findings = findings_of(classes, kind)
    if len(findings) > 1:
        return ""
    if kind is TargetKind.ORDINAL:
        return f"the finding is {findings[0].name}; --set task.finding=GRADE draws another line"
    number, known = _likely(classes)
    other = classes[1 - number]
    why = f"as {other!r} sounds like none" if known else "the last by name, for want of a better"
    return f"the finding is {classes[number]!r}, {why}; --set task.finding={other} turns it round"


def _from_grade_on(grades: Sequence[str], named: Sequence[str]) -> Finding:
    if len(named) > 1:
        raise RecipeError(f"task.finding = {list(named)}: give the lowest grade that counts, alone")
    first = grades.index(named[0]) if named else 1
    if first == 0:
        raise RecipeError(
            f"task.finding = {named[0]!r} is the lowest grade, so that everyone would have it"
        )
    above = " or above" if first < len(grades) - 1 else ""
    return Finding(f"{grades[first]}{above}", tuple(range(first, len(grades))))


def _likely(classes: Sequence[str]) -> tuple[int, bool]:
    """Return which of two classes is the finding, and whether the other's name says so."""
    nothing = [_sounds_like_nothing(name) for name in classes]
    known = nothing[0] != nothing[1]
    return (nothing.index(False) if known else 1), known


def _sounds_like_nothing(name: str) -> bool:
    words = re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()
    return words in _NOTHING or words.startswith(_NOTHING_BEFORE)
