"""All runs at once, past MLflow, against what MLflow itself says of them."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from transfer.progress import Silent
from transfer.tracking.events import Finished, Numbers, Read, Tagged
from transfer.tracking.listing import every_run
from transfer.tracking.record import Record
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.stored_runs import StoredRun, search
from transfer.tracking.sync import sync
from transfer.tracking.tracker import COMPARED_TAG, DataInput


@pytest.fixture
def several(store: Store, written: Callable[..., Record]) -> Store:
    """Runs of two experiments: one with all that a run can say, one deleted, a stranger's."""
    data = DataInput("pets", "train", "0a", "/data/pets é", 7, 2)
    numbers = [Numbers(step=n, values={"loss": 1 / (n + 3), "val/kappa": 0.1}) for n in range(3)]
    last = Numbers(step=3, values={"loss": math.nan, "inf": math.inf})
    written(
        *numbers,
        last,
        Read(inputs=(data,)),
        Tagged(tags={"colour": "red"}),
        Finished(status="FINISHED"),
    )
    written(Finished(status="FAILED"), name="silent", experiment="other")
    written(Finished(status="FINISHED"), name="verdict", **{COMPARED_TAG: "a b"})
    written(Finished(status="FINISHED"), name="deleted")
    sync(store, Silent())
    client = connect(store)
    client.delete_run(search(store, 'attributes.run_name = "deleted"')[0].run_id)
    client.create_run("0", run_name="a stranger's")
    return store


def _facts(run: StoredRun) -> dict[str, Any]:
    """Return all of a run; numbers as text, for one that is none is like no other."""
    return asdict(run) | {"metrics": {name: repr(value) for name, value in run.metrics.items()}}


def test_they_are_as_mlflow_has_them(several: Store) -> None:
    found = every_run(several)
    assert [_facts(run) for run in found] == [_facts(run) for run in search(several)]
    assert {run.name for run in found} == {"first", "silent", "verdict"}
    (first,) = every_run(several, {"colour": "red"})
    assert (first.name, first.data) == ("first", "/data/pets é")
    assert math.isnan(first.metrics["loss"])
    assert every_run(several, {"colour": "blue"}) == []


def test_a_store_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    assert every_run(open_store(tmp_path / "nowhere")) == []
    assert not (tmp_path / "nowhere").exists()
