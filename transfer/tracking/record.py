"""The local record: everything a run says, on disk before anyone else hears it."""

import errno
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from transfer.errors import StoreError
from transfer.tracking.events import (
    Event,
    Finished,
    Kept,
    ModelKept,
    Reopened,
    Started,
    from_line,
    to_line,
)
from transfer.tracking.tracker import Status

SENDING = "sending_"
"""What the name of a folder starts with that is needed for the moment of a delivery."""

_GLANCE_SECONDS = 1.0  # whoever lists runs has each record for a moment
_TURN_SECONDS = 120.0  # whoever tells of a shared run delivers it before others have their turn


class Position(BaseModel):
    """How far a record is delivered.

    Attributes:
        offset: bytes of the events that the store has.
        run_id: the run's id in the store, once it is made there.
        experiment_id: of that run.
    """

    model_config = ConfigDict(frozen=True)

    offset: int = 0
    run_id: str = ""
    experiment_id: str = ""


class Record:
    """A folder with `events.jsonl`, `files/`, `model/` and `position.json`; its name is its id.

    Whoever writes or delivers it holds the lock beside it, which ends with the process.
    """

    def __init__(self, folder: Path) -> None:
        """Name the record in `folder`, which need not be there yet."""
        self.folder, self.id = folder, folder.name
        self._events = folder / "events.jsonl"
        self._position = folder / "position.json"
        self._lock = FileLock(folder.with_name(f"{folder.name}.lock"), thread_local=False)
        self._writing = threading.Lock()

    @classmethod
    def create(cls, records: Path, started: Started) -> "Record":
        """Return a new record below `records`, locked."""
        record = cls(records / uuid.uuid4().hex)
        record.lock()
        record.folder.mkdir()
        record.append(started)
        return record

    @classmethod
    def reopen(cls, records: Path, record_id: str, destination: str) -> "Record":
        """Return the record of an earlier run, locked, whole, and open for what comes next.

        Raises:
            StoreError: there is none, it is meant for another store, or its process is alive.
            OSError: the disk is full or gone.
        """
        record = cls(records / record_id)
        if (first := started(record)) is None:
            raise StoreError(
                f"no record {record_id!r} in {str(records)!r}; a run is continued in the folder "
                "--out it was started in, which has its checkpoints, too"
            )
        if first.destination != destination:
            raise StoreError(
                f"run {first.run.name!r} is meant for the run store {first.destination!r} and not "
                f"for {destination!r}; choose that store to continue it"
            )
        if not record.lock(_GLANCE_SECONDS):
            raise StoreError(
                f"run {first.run.name!r} is still running, in another process; stop that first"
            )
        record._open()
        return record

    @classmethod
    def take_up(cls, records: Path, record_id: str, first: Started) -> "Record":
        """Return the record called `record_id`, locked: what is left of it here, else a new one.

        For a run that several processes tell of in turns; whoever has it is waited for. A store
        that knows the run already goes on with that one.

        Raises:
            StoreError: another process keeps it.
            OSError: the disk is full or gone.
        """
        record = cls(records / record_id)
        if not record.lock(_TURN_SECONDS):
            raise StoreError(f"another process has kept run {first.run.name!r} for minutes")
        if started(record) is None:
            record.folder.mkdir(exist_ok=True)
            record.append(first)
        else:
            record._open()
        return record

    def _open(self) -> None:
        """Make whole what an earlier process left, and let it be told more."""
        self.mend()
        if self.status is not None:
            self.append(Reopened())

    def lock(self, seconds: float = 0) -> bool:
        """Take the record for this process; False where another keeps it for so long."""
        try:
            self._lock.acquire(timeout=seconds)
        except Timeout:
            return False
        return True

    def is_locked(self) -> bool:
        """Say whether a process that is alive has the record."""
        if not self.lock():
            return True
        self.unlock()
        return False

    def unlock(self) -> None:
        """Let others have the record."""
        self._lock.release()

    def remove(self) -> None:
        """Delete the record, and unlock it."""
        self._events.unlink(missing_ok=True)  # first: what is half deleted must not be sent
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def mend(self) -> None:
        """Undo what a crash left half done; for whoever has the lock."""
        with self._writing, self._events.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)  # half a line would swallow the next one
        if self._outgoing.is_dir() and not self.model.is_dir():
            self._outgoing.replace(self.model)
        for left in (self._incoming, self._outgoing, *self.folder.glob(f"{SENDING}*")):
            shutil.rmtree(left, ignore_errors=True)

    def append(self, event: Event) -> None:
        """Write one event.

        Raises:
            OSError: the disk is full or gone; nothing of the event was written.
        """
        line = to_line(event)
        with self._writing, self._events.open("ab", buffering=0) as file:
            start = os.fstat(file.fileno()).st_size
            if file.write(line) < len(line):
                file.truncate(start)  # half a line would swallow the next one
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._events))

    def keep(self, path: str, content: bytes) -> None:
        """Write a file of the run, wholly or not at all, and the event that tells of it.

        Raises:
            ValueError: `path` is not relative, or leaves the folder.
            OSError: the disk is full or gone.
        """
        parts = PurePosixPath(path).parts
        if not parts or path != "/".join(parts) or ".." in parts:
            raise ValueError(f"{path!r} is no relative POSIX path")
        file, incoming = self.file(path), self.folder / "incoming"
        file.parent.mkdir(parents=True, exist_ok=True)
        incoming.write_bytes(content)
        incoming.replace(file)
        self.append(Kept(path=path))

    def keep_model(self, write: Callable[[Path], None]) -> None:
        """Keep the model that `write` makes, wholly or not at all, and the event that tells of it.

        A model that was kept before makes way for it.

        Args:
            write: puts the files of the model into a folder, which is there.

        Raises:
            OSError: the disk is full or gone.
        """
        try:
            self._incoming.mkdir()
            write(self._incoming)
            if self.model.is_dir():  # no folder can take the place of another
                self.model.replace(self._outgoing)
            self._incoming.replace(self.model)
        finally:
            shutil.rmtree(self._incoming, ignore_errors=True)
        shutil.rmtree(self._outgoing, ignore_errors=True)
        self.append(ModelKept())

    def file(self, path: str) -> Path:
        """Return where the file that the run calls `path` stands."""
        return self.folder / "files" / path

    @property
    def model(self) -> Path:
        """Where the files of the model stand, once kept."""
        return self.folder / "model"

    @property
    def _incoming(self) -> Path:
        return self.folder / "incoming_model"

    @property
    def _outgoing(self) -> Path:
        return self.folder / "outgoing_model"

    def events(self, offset: int = 0) -> Iterator[tuple[Event, int]]:
        """Yield each event from byte `offset` on, with the offset behind it."""
        if not self._events.is_file():  # its process was faster, and has delivered it
            return
        with self._events.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):  # still being written, or torn by a crash
                    return
                offset += len(line)
                if (event := from_line(line)) is not None:
                    yield event, offset

    @property
    def status(self) -> Status | None:
        """How the run ended, or None while it goes on."""
        status: Status | None = None
        for event, _ in self.events():
            match event:
                case Finished():
                    status = event.status
                case Reopened():
                    status = None
        return status

    @property
    def is_delivered(self) -> bool:
        """Whether the store has everything that was said so far."""
        return next(self.events(self.position.offset), None) is None

    @property
    def position(self) -> Position:
        """How far the record is delivered."""
        try:
            return Position.model_validate_json(self._position.read_bytes())
        except (FileNotFoundError, ValidationError):
            return Position()

    def deliver_to(self, position: Position) -> None:
        """Remember that everything up to `position` is delivered."""
        incoming = self._position.with_suffix(".incoming")
        incoming.write_text(position.model_dump_json(), encoding="utf-8")
        incoming.replace(self._position)


def records_in(folder: Path) -> list[tuple[Record, Started]]:
    """Return the records below `folder` with their first event, oldest first."""
    records = [Record(path.parent) for path in folder.glob("*/events.jsonl")]
    known = [(record, first) for record in records if (first := started(record)) is not None]
    return sorted(known, key=lambda pair: (pair[1].time, pair[0].id))


def started(record: Record) -> Started | None:
    """Return the first event of a record, if it got that far."""
    first = next((event for event, _ in record.events()), None)
    return first if isinstance(first, Started) else None
