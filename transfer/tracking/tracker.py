"""What an experiment tells the world about itself, and the tracker that forgets it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["FINISHED", "FAILED", "KILLED"]

HEADLINE_TAG = "transfer.headline"
"""Tag that names the score a run is ranked by, as in "balanced_accuracy"."""

TARGET_TAG = "transfer.target"
"""Tag that names the kind of target, as in "single_label"."""

TEST_TAG = "transfer.test_digest"
"""Tag that names the test rows: their bytes, labels and groups."""

AUDIT_TAG = "transfer.audit"
"""Tag of what a run says of its rows: "clean", or what is wrong: "leaks allowed: 2 groups"."""

GROUPS_TAG = "transfer.groups_digest"
"""Tag that names the groups file that a run kept to (`split.groups_file`), by its bytes."""

COMPARED_TAG = "transfer.compared"
"""Tag of a comparison, which trained nothing: the ids of the runs that it compares."""

NOTE_TAG = "mlflow.note.content"
"""Tag that MLflow's page of a run shows on top, as Markdown; lists of runs show its first line."""

FIGURES = "figures/"
"""Where the pictures of a run are kept, by names that are the same in every run."""

STOPPED_TAG = "transfer.stopped"
"""Tag of a run that was stopped for what its epochs showed: why. It has no model."""

THROUGHPUT = "train/images_per_second"
"""The number that lists of runs show as speed."""


@dataclass(frozen=True)
class RunDescription:
    """What is known about a run before it starts.

    Attributes:
        experiment: the task's name; one MLflow experiment each.
        name: what a person calls the run.
        params: settings, flat, as text.
        tags: everything else worth filtering by.
        parent: what `start` returned for the run that this one is a part of, such as a fold.
    """

    experiment: str
    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True)
class DataInput:
    """One split that a run reads: its `context` ("train", "val", ...), our own digest, and size."""

    name: str
    context: str
    digest: str
    source: str
    rows: int
    classes: int


class Tracker(Protocol):
    """One run. `MlflowTracker` keeps it; `SilentTracker` forgets it.

    No method raises because a server is away: training is worth more than its record.
    """

    def start(self, run: RunDescription, resume: str | None = None) -> str:
        """Open the run and return the id of its record, which finds the run at once and ever after.

        Args:
            run: what is known about it.
            resume: that id of a run that ended before its time, to go on with it. It stays as it
                was started, whatever `run` says; it may be told everything again from its start,
                and hears only what is new. Of a number at a step, the first value stands.

        Raises:
            OutputError: the record has no place to be written to.
            StoreError: the place is not what it should be; or the run to resume is still running,
                is not here, or belongs to another store.
        """

    def tag(self, tags: Mapping[str, str]) -> None:
        """Add or replace tags."""

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        """Record numbers at a step; a number that has a value there keeps it."""

    def read(self, inputs: Sequence[DataInput]) -> None:
        """Record which data the run reads."""

    def keep(self, path: str, content: bytes) -> None:
        """Keep a file under `path`, POSIX and relative, in the place of any other there."""

    def keep_model(self, write: Callable[[Path], None]) -> None:
        """Keep the model that `write` puts into a folder (safetensors and JSON), the last only.

        Raises:
            OutputError: it cannot be written; a run without its model is not done.
        """

    def finish(self, status: Status) -> str:
        """Close the run and return its id: the store's own, or the record's while undelivered."""


class SharedTracker(Tracker, Protocol):
    """A run that several processes tell of, one after the other."""

    def leave(self) -> str:
        """Let others go on to tell of the run, which stays open; return its id, as `finish`."""


class SilentTracker:
    """Forget everything; for tests and dry runs."""

    def __init__(self) -> None:
        self._id = ""

    def start(self, run: RunDescription, resume: str | None = None) -> str:
        """Return the id to resume, or one made of the run's name."""
        self._id = resume or f"untracked-{run.name}"
        return self._id

    def tag(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        """Do nothing."""

    def read(self, inputs: Sequence[DataInput]) -> None:
        """Do nothing."""

    def keep(self, path: str, content: bytes) -> None:
        """Do nothing."""

    def keep_model(self, write: Callable[[Path], None]) -> None:
        """Do nothing."""

    def finish(self, status: Status) -> str:  # noqa: ARG002  # a Tracker
        """Return the id once more."""
        return self._id
