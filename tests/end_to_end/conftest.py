"""One small run that most tests look at, in places whose names ask for trouble."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from filelock import FileLock

import transfer
from transfer.tracking.runs import fetch, find_run, model_folder
from transfer.tracking.store import Store, open_store
from transfer.tracking.stored_runs import StoredRun

if TYPE_CHECKING:
    from transfer import RunResult

ODD_CLASS = "Wald & Wiese, né (1)"


@dataclass(frozen=True)
class First:
    """A finished run: `result` as it was returned, and how it was asked for."""

    result: "RunResult"
    data: Path
    out: Path
    task: str = "satellite_vegetation"
    name: str = "first é run"
    odd_class: str = ODD_CLASS

    @property
    def store(self) -> Store:
        return open_store(self.out)

    def draw(self, folder: Path, count: int) -> Path:
        """Write so many samples as the run learned from; of fewer, these are the first."""
        transfer.load_task(self.task).write_samples(folder, count, 0)
        (folder / "Forest").rename(folder / self.odd_class)
        return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all test processes share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "end to end"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def first(place: Path) -> First:
    """Two epochs on ninety chips, trained once for all test processes."""
    kept, data, out = place / "first.json", place / "chips é (2026)", place / "my runs #1 é"
    with FileLock(place / "first.lock"), pytest.MonkeyPatch.context() as patch:
        if not kept.exists():
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            patch.setenv("TRANSFER_CACHE", str(place / "cache"))
            result = transfer.fit(
                First.task,
                First(None, data, out).draw(data, 90),
                weights="starter",
                epochs=2,
                size=56,  # so that the chips of 64 px have to be brought to size, everywhere alike
                batch_size=24,
                name=First.name,
                settings={"split": {"val": 0.25, "test": 0.25}},
                out=out,
            )
            kept.write_text(json.dumps(asdict(replace(result, said={}))))
    return First(transfer.RunResult(**json.loads(kept.read_text())), data, out)


@pytest.fixture(autouse=True)
def _own_places(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TRANSFER_CACHE", str(place / "cache"))


@dataclass(frozen=True)
class Kept:
    """What the store has of one run."""

    store: Store
    run: StoredRun
    into: Path

    def file(self, path: str) -> Path:
        """Return a copy of the file that the run keeps under `path`."""
        return fetch(self.store, self.run, path, self.into)

    def table(self, path: str) -> pd.DataFrame:
        """Return a Parquet table that the run keeps."""
        return pd.read_parquet(self.file(path))

    def split(self) -> Mapping[str, str]:
        """Return the split of each row key."""
        return self.table("data/split.parquet").set_index("key")["split"].to_dict()

    @property
    def model(self) -> Path:
        """The folder of the run's model."""
        return model_folder(self.store, self.run)

    def history(self, name: str) -> dict[int, float]:
        """Return a number of the run by step."""
        from transfer.tracking.store import connect  # noqa: PLC0415  # MLflow

        history = connect(self.store).get_metric_history(self.run.run_id, name)
        return {number.step: number.value for number in history}


@pytest.fixture
def kept(first: First, tmp_path: Path) -> Callable[[str], Kept]:
    """Look up a run of the first run's store."""
    return lambda name: Kept(first.store, find_run(first.store, name), tmp_path / "fetched")
