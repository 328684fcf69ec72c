"""Ctrl-C and SIGTERM, held back while a step is half done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transfer.processes import ALONE, Processes


class Terminated(KeyboardInterrupt):
    """The system wants this process gone (SIGTERM): there are seconds left, not minutes."""


class Interruption:
    """Turns Ctrl-C and SIGTERM into exceptions that never fall into the middle of a step.

    An optimizer that is stopped among its weights leaves a network that no checkpoint may hold.
    Inside `whole()` a signal therefore waits; everywhere else it is raised where it falls.

    Of several processes none may leave the others in the middle of anything: there a signal waits
    until they meet, or for the end of a step; and only the first counts, as launchers send more.
    """

    def __init__(self, processes: Processes = ALONE) -> None:
        self._pending: type[KeyboardInterrupt] | None = None
        self._depth = 0
        self._processes, self._alone = processes, processes.share.size == 1
        processes.hear_signals(self._take)

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
        if (pending := self._take()) is not None:
            raise pending

    def _take(self) -> KeyboardInterrupt | None:
        """Return the signal that waits, unless something must not be cut; it waits no longer."""
        if self._depth or self._pending is None:
            return None
        pending, self._pending = self._pending, None
        return None if self._processes.stopped else pending()

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # signal's form
        kind = Terminated if number == signal.SIGTERM else KeyboardInterrupt
        if self._alone and self._depth == 0:
            raise kind
        self._pending = kind
