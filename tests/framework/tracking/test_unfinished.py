"""Runs that did not finish: kept, listed, continued as one run, or refused."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.errors import StoreError
from transfer.progress import Silent
from transfer.tracking import record as record_module
from transfer.tracking import spool
from transfer.tracking.delivery import Delivery
from transfer.tracking.events import Finished
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.record import Record
from transfer.tracking.runs import find_run, list_runs, model_folder
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.stored_runs import local_runs
from transfer.tracking.sync import sync
from transfer.tracking.tracker import RunDescription, Status

_RUN = RunDescription("demo", "first", {"backbone": "resnet18"}, {"why": "test"})


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine deliver a killed run, too, before it is looked at."""
    monkeypatch.setattr(spool, "_KILLED_SECONDS", 60.0)


@pytest.mark.parametrize("status", ["KILLED", "FAILED"])
def test_what_did_not_finish_stays_while_there_are_checkpoints_and_is_one_run(
    store: Store, status: Status
) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)
    store.checkpoints(record_id).mkdir(parents=True)
    tracker.log({"train/loss": 1.0})
    run_id = tracker.finish(status)

    run = find_run(store, record_id)
    assert (run.run_id, run.status, run.record_id) == (run_id, status, record_id)
    assert run.record is not None
    assert list_runs(store)["run_id"].tolist() == [run_id]
    assert sync(store, Silent()) == 0
    assert run.record.is_dir()

    store.checkpoints(record_id).rmdir()
    assert sync(store, Silent()) == 0
    assert not run.record.exists()
    assert find_run(store, record_id).status == status


def test_checkpoints_that_a_finished_run_left_go_with_its_record(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)
    store.checkpoints(record_id).mkdir(parents=True)

    tracker.finish("FINISHED")  # its process may be killed before it takes them away

    assert not store.checkpoints(record_id).exists()
    assert not (store.records / record_id).exists()


def test_a_run_goes_on_in_mlflow_while_it_is_continued(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)
    store.checkpoints(record_id).mkdir(parents=True)
    run_id = tracker.finish("KILLED")
    record = Record.reopen(store.records, record_id, store.destination)

    assert Delivery(store, record, pytest.fail).advance()

    assert connect(store).get_run(run_id).info.status == "RUNNING"
    assert find_run(store, record_id).status == "RUNNING"
    record.append(Finished(time=2_000_000_000_000, status="FINISHED"))
    Delivery(store, record, pytest.fail).advance()
    info = connect(store).get_run(run_id).info
    assert (info.status, info.end_time) == ("FINISHED", 2_000_000_000_000)
    record.unlock()


def test_a_model_and_a_file_that_are_kept_again_take_the_place_of_the_first(store: Store) -> None:
    def model(text: str) -> Callable[[Path], None]:
        return lambda folder: (folder / "network.safetensors").write_text(text) and None

    tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)
    store.checkpoints(record_id).mkdir(parents=True)
    tracker.keep_model(model("first"))
    tracker.keep("a.txt", b"first")
    tracker.finish("KILLED")
    sync(store, Silent())  # a killed run does not wait for slow machines
    (old,) = connect(store).search_logged_models(["1"])

    tracker = MlflowTracker(store, pytest.fail)
    tracker.start(_RUN, record_id)
    tracker.keep_model(model("second"))
    tracker.keep("a.txt", b"second")
    run_id = tracker.finish("FINISHED")

    client = connect(store)
    (new,) = client.search_logged_models(["1"])
    outputs = client.get_run(run_id).outputs.model_outputs
    assert [output.model_id for output in outputs] == [old.model_id] == [new.model_id]
    folder = model_folder(store, find_run(store, run_id))
    assert (folder / "network.safetensors").read_text() == "second"
    assert Path(client.download_artifacts(run_id, "a.txt")).read_bytes() == b"second"


def test_a_model_survives_a_kill_between_the_old_one_and_the_new(
    store: Store, written: Callable[..., Record], model_files: Callable[[Path], None]
) -> None:
    record = written()
    record.keep_model(model_files)
    record.model.rename(record.folder / "outgoing_model")
    (record.folder / "incoming_model").mkdir()
    (record.folder / "sending_x" / "saved").mkdir(parents=True)

    Record.reopen(store.records, record.id, store.destination).unlock()

    assert sorted(path.name for path in record.model.iterdir()) == [
        "model.json",
        "network.safetensors",
    ]
    assert sorted(path.name for path in record.folder.iterdir()) == ["events.jsonl", "model"]


def test_a_run_that_is_still_running_is_not_continued(
    store: Store, written: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_module, "_GLANCE_SECONDS", 0)
    record = written()
    record.lock()
    before = (record.folder / "events.jsonl").read_bytes()
    tracker = MlflowTracker(store, pytest.fail)

    with pytest.raises(StoreError, match="'first' is still running"):
        tracker.start(_RUN, record.id)

    assert tracker.finish("FAILED") == ""
    assert (record.folder / "events.jsonl").read_bytes() == before
    record.unlock()


def test_a_run_of_which_there_is_no_record_is_not_continued(store: Store) -> None:
    with pytest.raises(StoreError, match=r"no record 'abc' in .*--out"):
        MlflowTracker(store, pytest.fail).start(_RUN, "abc")
    assert list(store.records.iterdir()) == []


def test_a_run_for_another_store_is_not_continued(
    store: Store, written: Callable[..., Record]
) -> None:
    other = open_store(store.out, "http://127.0.0.1:9")

    with pytest.raises(StoreError, match=r"meant for the run store 'mlflow.db'"):
        MlflowTracker(other, pytest.fail).start(_RUN, written().id)


def test_a_run_deleted_in_the_store_is_listed_no_more(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    store.checkpoints(tracker.start(_RUN)).mkdir(parents=True)
    connect(store).delete_run(tracker.finish("KILLED"))

    assert list_runs(store).empty


def test_a_killed_run_ends_soon_though_its_server_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_KILLED_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes calls and never answers
        away = open_store(tmp_path / "mlruns", f"http://127.0.0.1:{server.getsockname()[1]}")
        warnings: list[str] = []
        tracker = MlflowTracker(away, warnings.append)
        record_id = tracker.start(_RUN)
        began = time.monotonic()

        assert tracker.finish("KILLED") == record_id

        assert time.monotonic() - began < 3
    assert len(warnings) == 1
    assert Record(away.records / record_id).status == "KILLED"


_VICTIM = """
import sys, threading
from pathlib import Path
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import open_store
from transfer.tracking.tracker import RunDescription
store = open_store(Path(sys.argv[1]))
tracker = MlflowTracker(store, print)
record = tracker.start(RunDescription("demo", "first"), sys.argv[2] or None)
store.checkpoints(record).mkdir(parents=True, exist_ok=True)
print(record, flush=True)
for step in range(10**9):
    tracker.log({"train/loss": 1 / (step + 1)}, step)
    if step % 10 == 0:
        tracker.keep("step.txt", str(step).encode())
        threading.Event().wait(0.01)
"""


@pytest.mark.slow
def test_a_process_killed_at_work_three_times_leaves_one_run(
    store: Store, start_python: Callable[..., Any]
) -> None:
    record_id, delivered = "", 0
    for _ in range(3):
        process = start_python(_VICTIM, store.out, record_id)
        record_id = process.stdout.readline().strip()
        record = Record(store.records / record_id)
        while record.position.offset <= delivered:
            assert process.returncode is None
        delivered = record.position.offset
        process.send_signal(signal.SIGKILL)
        process.communicate()
    tracker = MlflowTracker(store, pytest.fail)
    tracker.start(RunDescription("demo", "first"), record_id)
    (known,) = [run.metrics["train/loss"] for run in local_runs(store)]
    steps = range(round(1 / known) + 100)
    for step in steps:
        tracker.log({"train/loss": 1 / (step + 1)}, step)
    run_id = tracker.finish("FINISHED")

    history = connect(store).get_metric_history(run_id, "train/loss")
    assert sorted(metric.step for metric in history) == list(steps)
    assert all(metric.value == 1 / (metric.step + 1) for metric in history)
    assert connect(store).get_run(run_id).info.status == "FINISHED"
    assert list_runs(store)["run_id"].tolist() == [run_id]
