"""A run that several processes tell of, in turns."""

from collections.abc import Callable

import pytest

from transfer.tracking.delivery import RECORD_TAG
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import Store, connect
from transfer.tracking.stored_runs import search
from transfer.tracking.tracker import RunDescription

RUN = RunDescription("demo", "study", {"lr": "0.1"})


@pytest.fixture
def shared(store: Store) -> Callable[[], MlflowTracker]:
    return lambda: MlflowTracker(store, pytest.fail, shared="a" * 32)


def test_whoever_comes_goes_on_with_the_run_that_is_there(
    store: Store, shared: Callable[[], MlflowTracker]
) -> None:
    first, second, third = (shared() for _ in range(3))
    assert first.start(RUN) == "a" * 32
    run_id = first.leave()
    assert [run.status for run in search(store)] == ["RUNNING"]
    assert list(store.records.glob("*/events.jsonl")) == []  # another machine would have none
    second.start(RunDescription("demo", "study"))
    second.keep("sweep.json", b"{}")
    assert second.finish("FAILED") == run_id
    third.start(RunDescription("demo", "study"))
    assert [run.status for run in search(store)] in (["FAILED"], ["RUNNING"])
    third.tag({"told": "last"})
    third.finish("FINISHED")
    (run,) = search(store)
    assert (run.run_id, run.status, run.params) == (run_id, "FINISHED", {"lr": "0.1"})
    assert (run.tags[RECORD_TAG], run.tags["told"]) == ("a" * 32, "last")
    assert [file.path for file in connect(store).list_artifacts(run_id)] == ["sweep.json"]


def test_a_run_that_was_left_open_is_running_once_somebody_tells_of_it_again(
    store: Store, shared: Callable[[], MlflowTracker]
) -> None:
    one, other = shared(), shared()
    one.start(RUN)
    one.finish("FAILED")
    other.start(RUN)
    other.leave()
    assert [run.status for run in search(store)] == ["RUNNING"]
