"""The tracker that keeps: a local record at once, MLflow as soon as it answers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from transfer.tracking.events import Finished, Numbers, Read, Started, Tagged
from transfer.tracking.record import Record
from transfer.tracking.spool import Spool
from transfer.tracking.store import Store, prepare_folder, unwritable
from transfer.tracking.system_metrics import SystemMetrics
from transfer.tracking.tracker import DataInput, RunDescription, Status


class MlflowTracker:
    """A Tracker: every call writes to the local record and returns; a thread delivers it.

    What cannot be delivered stays in the record: `find_run` finds it there, and `sync` sends it.
    """

    def __init__(
        self, store: Store, warn: Callable[[str], None], system_seconds: float = 10.0
    ) -> None:
        """Keep one run in `store`.

        Args:
            store: where it goes.
            warn: told, from another thread, when the store is away or the disk is full; once each.
            system_seconds: between two samples of processor and memory.
        """
        self._store, self._warn, self._system_seconds = store, warn, system_seconds
        self._open, self._id = False, ""
        self._disk_told = False

    def start(self, run: RunDescription) -> str:
        """Open the run and return the id of its record, which finds the run at once and ever after.

        Raises:
            OutputError: the folder of the store cannot be written to.
            StoreError: the folder holds what is no store of ours.
        """
        prepare_folder(self._store)
        try:
            first = Started(destination=self._store.destination, run=run)
            self._record = Record.create(self._store.records, first)
        except OSError as error:
            raise unwritable(self._store, error) from error
        self._open, self._id = True, self._record.id
        self._spool = Spool(self._store, self._record, self._warn)
        self._spool.start()
        self._system = SystemMetrics(self.log, self._system_seconds)
        self._system.start()
        return self._id

    def tag(self, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""
        with self._telling():
            self._record.append(Tagged(tags=tags))

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step."""
        values = {name: float(value) for name, value in numbers.items()}
        with self._telling():
            self._record.append(Numbers(step=step, values=values))

    def read(self, inputs: Sequence[DataInput]) -> None:
        """Record which data the run reads."""
        with self._telling():
            self._record.append(Read(inputs=tuple(inputs)))

    def keep(self, path: str, content: bytes) -> None:
        """Keep a file under `path` among the artifacts of the run.

        Raises:
            ValueError: `path` is no relative POSIX path, or leaves the artifacts.
        """
        with self._telling():
            self._record.keep(path, content)

    def keep_model(self, write: Callable[[Path], None]) -> None:
        """Keep the model that `write` puts into a folder, loadable by MLflow.

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

        Waits for the delivery while there is progress, and five seconds where there is none. A run
        that is closed stays as it is: whoever interrupts the waiting does not undo the run.
        """
        if self._open:
            self._open = False
            self._system.stop()
            with self._telling():
                self._record.append(Finished(status=status))
            self._id = self._spool.finish() or self._id
        return self._id

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Go on when the record cannot be written: training is worth more."""
        try:
            yield
            self._spool.wake()
        except OSError as error:
            if not self._disk_told:
                self._disk_told = True
                self._warn(f"a part of the run is not recorded: {error}")
