"""A store for each test, copied from one empty database that MLflow makes once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.tracking import store as run_store
from transfer.tracking.events import Event, Started
from transfer.tracking.record import Record
from transfer.tracking.store import Store, open_store
from transfer.tracking.tracker import RunDescription


@pytest.fixture(autouse=True)
def _no_other_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in a folder whose name asks for trouble."""
    out = tmp_path / "my runs #1 é"
    (out / "records").mkdir(parents=True)
    run_store._make(out / "mlflow.db")
    return open_store(out)


@pytest.fixture
def model_files() -> Callable[[Path], None]:
    """What writes files that look like a model."""

    def write(folder: Path) -> None:
        (folder / "network.safetensors").write_bytes(b"weights")
        (folder / "model.json").write_text('{"classes": ["a", "b"]}')

    return write


@pytest.fixture
def written(store: Store) -> Callable[..., Record]:
    """Make a record of a run, with these events after its start, unlocked."""

    def write(*events: Event, name: str = "first", experiment: str = "demo", **kept: str) -> Record:
        run = RunDescription(experiment, name, {"backbone": "resnet18"}, kept)
        start = Started(time=1_000_000, destination=store.destination, run=run)
        record = Record.create(store.records, start)
        for event in events:
            record.append(event)
        record.unlock()
        return record

    return write
