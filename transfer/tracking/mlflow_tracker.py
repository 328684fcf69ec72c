"""The tracker that keeps: a local record at once, MLflow as soon as it answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from transfer.errors import TransferError
from transfer.tracking.events import Finished, Numbers, Read, Started, Tagged
from transfer.tracking.record import Record
from transfer.tracking.said import Said
from transfer.tracking.spool import Spool
from transfer.tracking.store import Store, prepare_folder, unwritable
from transfer.tracking.system_metrics import SYSTEM, SystemMetrics
from transfer.tracking.tracker import DataInput, RunDescription, Status


class MlflowTracker:
    """A Tracker: every call writes to the local record and returns; a thread delivers it.

    What cannot be delivered stays in the record: `find_run` finds it there, and `sync` sends it.
    """

    def __init__(
        self,
        store: Store,
        warn: Callable[[str], None],
        system_seconds: float = 10.0,
        *,
        shared: str = "",
    ) -> None:
        """Keep one run in `store`.

        Args:
            store: where it goes.
            warn: told, from another thread, when the store is away or the disk is full, or when a
                number changes that should stand; once each.
            system_seconds: between two samples of processor and memory.
            shared: id of the record of a run that several processes tell of, in turns; each starts
                it, whether it is there or not. "" is a run of one's own.
        """
        self._store, self._warn, self._system_seconds = store, warn, system_seconds
        self._shared = shared
        self._open, self._id = False, ""
        self._told: set[str] = set()

    def start(self, run: RunDescription, resume: str | None = None) -> str:
        """Open the run and return the id of its record, which finds the run at once and ever after.

        Args:
            run: what is known about it.
            resume: the id of the record of an earlier run, to go on with that instead.

        Raises:
            OutputError: the folder of the store cannot be written to.
            StoreError: the folder holds what is no store of ours; or the run to resume is still
                running, has no record here, or belongs to another store.
        """
        prepare_folder(self._store)
        try:
            self._record = self._new(run) if resume is None else self._earlier(resume)
            self._said = Said(event for event, _ in self._record.events())
        except TransferError:
            raise
        except OSError as error:
            raise unwritable(self._store, error) from error
        self._open, self._id = True, self._record.id
        self._spool = Spool(self._store, self._record, self._warn)
        self._spool.start()
        first_sample = self._said.next_step(SYSTEM)
        self._system = SystemMetrics(self._say, self._system_seconds, first_sample)
        if not self._shared:  # several machines tell of it: none is the run's own
            self._system.start()
        return self._id

    def tag(self, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""
        self._say(Tagged(tags=tags))

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step; a number that has a value there keeps it."""
        values = {name: float(value) for name, value in numbers.items()}
        event = Numbers(step=step, values=values)
        if change := self._said.change(event):
            self._tell_once("change", change)
        self._say(event)
        self._system.follow()

    def read(self, inputs: Sequence[DataInput]) -> None:
        """Record which data the run reads."""
        self._say(Read(inputs=tuple(inputs)))

    def keep(self, path: str, content: bytes) -> None:
        """Keep a file under `path` among the artifacts of the run, in the place of any other there.

        Raises:
            ValueError: `path` is no relative POSIX path, or leaves the artifacts.
        """
        with self._telling():
            self._record.keep(path, content)

    def keep_model(self, write: Callable[[Path], None]) -> None:
        """Keep the model that `write` puts into a folder, loadable by MLflow; the last only.

        Raises:
            OutputError: it cannot be written; a run without its model is not done.
        """
        try:
            self._record.keep_model(write)
        except OSError as error:
            raise unwritable(self._store, error) from error
        self._spool.wake()

    def finish(self, status: Status) -> str:
        """Close the run and return its id: MLflow's, or the record's while it is not delivered.

        Waits for the delivery while there is progress, and five seconds where there is none; for a
        run that was killed, four seconds in all. A run that is closed stays as it is: whoever
        interrupts the waiting does not undo the run.
        """
        return self._close(status)

    def leave(self) -> str:
        """Let others go on to tell of a run that is shared; wait and return its id, as `finish`."""
        return self._close(None)

    def _close(self, status: Status | None) -> str:
        if self._open:
            self._open = False
            if not self._shared:
                self._system.stop()
            if status is not None:
                with self._telling():
                    self._record.append(Finished(status=status))
            killed = status == "KILLED"
            self._id = self._spool.finish(killed=killed, stays_open=status is None) or self._id
        return self._id

    def _new(self, run: RunDescription) -> Record:
        first = Started(destination=self._store.destination, run=run)
        if self._shared:
            return Record.take_up(self._store.records, self._shared, first)
        return Record.create(self._store.records, first)

    def _earlier(self, record_id: str) -> Record:
        return Record.reopen(self._store.records, record_id, self._store.destination)

    def _say(self, event: Tagged | Numbers | Read) -> None:
        """Record what is new in `event`."""
        news = self._said.news(event)
        if news is not None:
            with self._telling():
                self._record.append(news)
                self._said.add(news)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Go on when the record cannot be written: training is worth more."""
        try:
            yield
            self._spool.wake()
        except OSError as error:
            self._tell_once("disk", f"a part of the run is not recorded: {error}")

    def _tell_once(self, kind: str, what: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._warn(what)
