"""Ctrl-C and SIGTERM, held back while a step is half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Terminated(KeyboardInterrupt):
    """The system wants this process gone (SIGTERM): there are seconds left, not minutes."""


class Interruption:
    """Turns Ctrl-C and SIGTERM into exceptions that never fall into the middle of a step.

    An optimizer that is stopped among its weights leaves a network that no checkpoint may hold.
    Inside `whole()` a signal therefore waits; everywhere else it is raised where it falls.
    """

    def __init__(self) -> None:
        self._pending: type[KeyboardInterrupt] | None = None
        self._depth = 0

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Listen to both signals; only the main thread of a process can, others do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before: dict[signal.Signals, Any] = {
            number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Run something that must not be cut; a signal is raised behind it.

        Raises:
            KeyboardInterrupt: it came meanwhile; `Terminated` where it was SIGTERM.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._depth == 0 and self._pending is not None:
            pending, self._pending = self._pending, None
            raise pending

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # signal's form
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self._depth == 0:
            raise kind
        self._pending = kind
