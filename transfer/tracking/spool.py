"""The thread that delivers a record while the run goes on."""

import math
import threading
import time
from collections.abc import Callable

from transfer.errors import OutputError, StoreError
from transfer.tracking.delivery import Delivery
from transfer.tracking.record import Record
from transfer.tracking.store import Store

_GATHER_SECONDS = 0.5  # what is said within this time shares one request
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0  # seconds between attempts
_WORKING_SECONDS, _FAILING_SECONDS = 60.0, 5.0  # how long the end of a run waits for progress
_KILLED_SECONDS = 4.0  # a machine that is taken away gives ten, and a checkpoint wants its share


class Spool:
    """Delivers one record in the background, again and again while the store is away.

    The run never waits for the store; only `finish` does, within bounds.
    """

    def __init__(self, store: Store, record: Record, warn: Callable[[str], None]) -> None:
        """Deliver `record`, which is locked, to `store`; `warn` is called from the thread."""
        self._store, self._record, self._warn = store, record, warn
        self._delivery = Delivery(store, record, warn)
        self._news, self._closing, self._abandoned = (threading.Event() for _ in range(3))
        self._failures, self._progress = 0, time.monotonic()
        self._told = self._delivered = self._stays_open = False
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def wake(self) -> None:
        """Say that the record has grown."""
        self._news.set()

    def finish(self, *, killed: bool, stays_open: bool = False) -> str | None:
        """Wait for what is left and return the run's id, or None where it stays in the record.

        Gives up after a minute without progress, or five seconds where the store does not answer;
        and on a run that was killed after four in all, whatever the store does. Of one that
        `stays_open` others will tell more.
        """
        closed, self._stays_open = time.monotonic(), stays_open
        end = closed + (_KILLED_SECONDS if killed else math.inf)
        self._closing.set()
        self._news.set()
        while self._thread.is_alive():
            patience = _FAILING_SECONDS if self._failures else _WORKING_SECONDS
            if time.monotonic() > min(end, max(closed, self._progress) + patience):
                break
            self._thread.join(timeout=0.05)
        self._abandoned.set()
        if self._delivered:
            return self._delivery.run_id
        self._tell(f"the run store at {self._store.address} has not taken all of the run")
        return None

    def _run(self) -> None:
        while not self._abandoned.is_set():
            last = self._closing.is_set()
            try:
                self._drain()
            except (StoreError, OutputError) as error:
                self._rest(error)
                continue
            if last:
                self._delivered = self._stays_open or self._record.status is not None
                break
            self._news.wait()
            self._closing.wait(_GATHER_SECONDS)
            self._news.clear()
        if self._delivered:
            self._delivery.close()
        else:
            self._record.unlock()

    def _drain(self) -> None:
        while not self._abandoned.is_set() and self._delivery.advance():
            self._failures, self._progress = 0, time.monotonic()

    def _rest(self, error: Exception) -> None:
        self._failures += 1
        if self._failures > 1:  # once may be a busy moment
            self._tell(str(error))
        if self._closing.is_set():
            self._abandoned.wait(_FIRST_PAUSE)
        else:
            self._closing.wait(min(_FIRST_PAUSE * 2 ** (self._failures - 1), _LONGEST_PAUSE))

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            self._warn(
                f"{what}; the run goes on and is recorded in {str(self._record.folder)!r}; "
                "`transfer store sync` sends it later"
            )
