"""How a training can end, before its time or at it."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """Why training ended."""

    COMPLETED = "completed"
    STALE = "stopped early"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Ended:
    """How training ended and, if it was before its time, where."""

    ending: Ending
    where: str = ""


class Stopped(Exception):  # noqa: N818  # no error: whoever listens to the epochs has seen enough
    """Raised by who hears of an epoch: no further one is wanted, nor a model; says why."""
