"""One promise of a plugin, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from transfer.promises.subject import Subject


class State(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    MOOT = "not applicable"


class Finding(NamedTuple):
    """What a check saw: the state of a promise, and what makes it broken or moot."""

    state: State
    said: str = ""


KEPT = Finding(State.KEPT)


def broken(said: str) -> Finding:
    """Return that a promise is broken, and what was seen."""
    return Finding(State.BROKEN, said)


def moot(said: str) -> Finding:
    """Return that a promise does not apply, and why."""
    return Finding(State.MOOT, said)


def kept_unless(said: str) -> Finding:
    """Return that a promise is broken where there is something to say, else that it is kept."""
    return broken(said) if said else KEPT


@dataclass(frozen=True)
class Promise:
    """One thing that a task promises.

    Attributes:
        name: as it is printed, lower case with hyphens.
        promised: one sentence.
        mend: what to do where it is broken.
        check: looks at a task; what it raises is a broken promise. The first line of its docstring
            says how it looks.
        needs: names of the promises that must be kept before this one can be looked at.
    """

    name: str
    promised: str
    mend: str
    check: Callable[[Subject], Finding]
    needs: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return its name, as pytest shows it."""
        return self.name

    @property
    def checked(self) -> str:
        """How it is checked, in one sentence."""
        return (self.check.__doc__ or "").strip().splitlines()[0]


class Verdict(NamedTuple):
    """What became of a promise of one task."""

    promise: Promise
    state: State
    said: str = ""
