"""What long work tells the person who waits; the command line draws it, the library is silent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Step(Protocol):
    """Work under way whose parts are counted."""

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` parts as done; `note` is what to show beside the bar."""


class Progress(Protocol):
    """The person's side of a run: one line at a time, and a bar for what takes long."""

    def say(self, line: str) -> None:
        """Show one line that stays."""

    def warn(self, line: str) -> None:
        """Show one line that asks for attention."""

    @contextmanager
    def step(self, what: str, total: int, unit: str) -> Iterator[Step]:
        """Show `what` with a bar over `total` parts, counted in `unit`."""


class _SilentStep:
    def advance(self, count: int = 1, note: str = "") -> None:
        """Do nothing."""


class Silent:
    """Say nothing: for the library, which returns what it has to say."""

    def say(self, line: str) -> None:
        """Do nothing."""

    def warn(self, line: str) -> None:
        """Do nothing."""

    @contextmanager
    def step(self, what: str, total: int, unit: str) -> Iterator[Step]:  # noqa: ARG002  # a Progress
        """Give a step that shows nothing."""
        yield _SilentStep()
