import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.errors import OutputError, StoreError
from transfer.tracking import spool
from transfer.tracking.delivery import RECORD_TAG, Delivery
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.record import Record, records_in
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.tracker import DataInput, RunDescription, Tracker

_RUN = RunDescription("demo", "first", {"backbone": "resnet18"}, {"why": "test"})


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose server is not there, and which is given up after a moment."""
    monkeypatch.setattr(spool, "_FAILING_SECONDS", 0.2)
    monkeypatch.setattr(spool, "_FIRST_PAUSE", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return open_store(tmp_path / "mlruns", f"http://127.0.0.1:{port}")


def test_a_run_is_kept_whole_and_its_record_is_gone(
    store: Store, model_files: Callable[[Path], None]
) -> None:
    tracker: Tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)
    tracker.read([DataInput("chips", "train", "0" * 16, "data/chips", 7, 2)])
    for epoch in range(3):
        tracker.log({"train/loss": 1 / (epoch + 1)}, step=epoch)
    tracker.keep("recipe.json", b"{}")
    tracker.keep_model(model_files)
    tracker.tag({"why": "changed"})

    run_id = tracker.finish("FINISHED")

    run = connect(store).get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["why"] == "changed"
    assert run.data.tags[RECORD_TAG] == record_id
    assert run.data.metrics["train/loss"] == 1 / 3
    assert find_run(store, record_id).run_id == run_id
    assert list(store.records.iterdir()) == []


def test_the_machine_is_watched_in_the_names_of_the_ui(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail, system_seconds=0.01)
    tracker.start(_RUN)

    run_id = tracker.finish("FINISHED")

    metrics = connect(store).get_run(run_id).data.metrics
    assert metrics["system/system_memory_usage_megabytes"] > 0
    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100


def test_a_score_is_the_first_number_of_a_run_however_early_the_machine_is_sampled(
    store: Store,
) -> None:
    tracker = MlflowTracker(store, pytest.fail, system_seconds=0.001)
    tracker.start(_RUN)
    tracker.log({"epoch/kappa": 0.5, "epoch/accuracy": 0.5})

    run_id = tracker.finish("FINISHED")

    first, *_, last = connect(store).get_run(run_id).data.metrics
    assert first == "epoch/kappa"
    assert last.startswith("system/")


def test_no_call_waits_for_the_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    advance = Delivery.advance
    monkeypatch.setattr(Delivery, "advance", lambda self: answer.wait() and advance(self))
    tracker = MlflowTracker(store, pytest.fail)
    tracker.start(_RUN)

    for step in range(100):
        tracker.log({"train/loss": 1.0}, step)
    tracker.keep("a.txt", b"bytes")
    ((record, _),) = records_in(store.records)
    said = [event.kind for event, _ in record.events()]
    nothing_sent = record.position.offset == 0
    answer.set()
    run_id = tracker.finish("FINISHED")

    assert nothing_sent
    assert said == ["started", *["numbers"] * 100, "kept"]
    assert len(connect(store).get_metric_history(run_id, "train/loss")) == 100


def test_a_run_whose_store_is_away_is_kept_here_found_here_and_said_once(
    away: Store, model_files: Callable[[Path], None]
) -> None:
    warnings: list[str] = []
    tracker = MlflowTracker(away, warnings.append)
    record_id = tracker.start(_RUN)
    tracker.log({"val/accuracy": 0.5})
    tracker.keep_model(model_files)

    assert tracker.finish("FINISHED") == record_id

    assert len(warnings) == 1
    assert away.address in warnings[0]
    assert str(away.records / record_id) in warnings[0]
    assert "transfer store sync" in warnings[0]
    for name in (record_id, record_id[:6], "first", "last"):
        run = find_run(away, name)
        assert (run.run_id, run.status, run.metrics["val/accuracy"]) == (record_id, "FINISHED", 0.5)
    assert (model_folder(away, run) / "network.safetensors").read_bytes() == b"weights"


def test_a_run_that_no_record_fits_is_not_looked_for_in_vain(away: Store) -> None:
    MlflowTracker(away, lambda _: None).start(_RUN)

    with pytest.raises(StoreError, match=r"gives no answer: .*Connection refused"):
        find_run(away, "second")


def test_a_store_that_fails_for_a_moment_is_not_worth_a_word(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "_FIRST_PAUSE", 0.01)
    failures = iter([StoreError("database is locked")])
    advance = Delivery.advance

    def fail_once(self: Delivery) -> bool:
        for failure in failures:
            raise failure
        return advance(self)

    monkeypatch.setattr(Delivery, "advance", fail_once)
    tracker = MlflowTracker(store, pytest.fail)
    record_id = tracker.start(_RUN)

    assert tracker.finish("FINISHED") != record_id


def test_a_full_disk_is_said_once_and_stops_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, model_files: Callable[[Path], None]
) -> None:
    warnings: list[str] = []
    tracker = MlflowTracker(store, warnings.append)
    tracker.start(_RUN)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Record, "append", full)
    tracker.log({"train/loss": 1.0})
    tracker.keep("a.txt", b"bytes")
    with pytest.raises(OutputError, match="No space left"):  # this alone is worth an error
        tracker.keep_model(model_files)
    monkeypatch.undo()
    tracker.finish("FINISHED")

    assert [warning for warning in warnings if "No space left" in warning] == warnings
    assert len(warnings) == 1


def test_a_run_without_a_place_does_not_begin(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tracker = MlflowTracker(open_store(tmp_path / "file" / "mlruns"), pytest.fail)

    with pytest.raises(OutputError, match="--out"):
        tracker.start(_RUN)
    assert tracker.finish("FAILED") == ""


def test_a_run_ends_once(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    tracker.start(_RUN)
    run_id = tracker.finish("FINISHED")

    assert tracker.finish("KILLED") == run_id
    assert connect(store).get_run(run_id).info.status == "FINISHED"


def test_a_path_outside_the_artifacts_is_our_mistake_and_raised(store: Store) -> None:
    tracker = MlflowTracker(store, pytest.fail)
    tracker.start(_RUN)

    with pytest.raises(ValueError, match="no relative POSIX path"):
        tracker.keep("../escaped", b"bytes")
    tracker.finish("FAILED")


@pytest.mark.parametrize("broken", [RuntimeError])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_our_own_mistake_in_the_thread_costs_the_delivery_and_not_the_run(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[], Exception],
) -> None:
    def fail(_: Delivery) -> bool:
        raise broken

    monkeypatch.setattr(Delivery, "advance", fail)
    warnings: list[str] = []
    tracker = MlflowTracker(store, warnings.append)
    record_id = tracker.start(_RUN)
    tracker.log({"train/loss": 1.0})

    assert tracker.finish("FINISHED") == record_id
    assert len(warnings) == 1
    assert find_run(store, record_id).status == "FINISHED"
