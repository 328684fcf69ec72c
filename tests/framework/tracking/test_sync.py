import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.errors import StoreError
from transfer.progress import Silent
from transfer.tracking.events import Finished, Numbers
from transfer.tracking.record import Record
from transfer.tracking.runs import find_run
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.sync import sync

Write = Callable[..., Record]


class _Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, line: str) -> None:
        self.warnings.append(line)


def test_what_was_left_behind_arrives_with_its_own_times(store: Store, written: Write) -> None:
    for name in ("first", "second"):
        written(
            Numbers(time=1_000_500, step=0, values={"train/loss": 1.0}),
            Finished(time=1_002_000, status="FINISHED"),
            name=name,
        )

    assert sync(store, Silent()) == 2

    for name in ("first", "second"):
        info = connect(store).get_run(find_run(store, name).run_id).info
        assert (info.status, info.start_time, info.end_time) == ("FINISHED", 1_000_000, 1_002_000)
    assert list(store.records.iterdir()) == []
    assert sync(store, Silent()) == 0


def test_a_run_that_never_ended_was_killed_when_it_last_spoke(store: Store, written: Write) -> None:
    record = written(Numbers(time=1_000_500, step=0, values={"train/loss": 1.0}))
    assert find_run(store, record.id).status == "KILLED"

    sync(store, Silent())

    info = connect(store).get_run(find_run(store, record.id).run_id).info
    assert (info.status, info.end_time) == ("KILLED", 1_000_500)


def test_the_end_of_a_run_is_not_lost_behind_a_torn_line(store: Store, written: Write) -> None:
    record = written()
    with (record.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "numb')

    sync(store, Silent())

    run = connect(store).get_run(find_run(store, record.id).run_id)
    assert run.info.status == "KILLED"


def test_a_killed_run_with_checkpoints_can_be_continued_after_it_was_sent(
    store: Store, written: Write
) -> None:
    record = written(Numbers(step=0, values={"train/loss": 1.0}))
    store.checkpoints(record.id).mkdir(parents=True)

    assert sync(store, Silent()) == 1
    assert sync(store, Silent()) == 0

    assert find_run(store, record.id).status == "KILLED"
    assert record.status == "KILLED"
    again = Record.reopen(store.records, record.id, store.destination)
    assert again.status is None
    again.unlock()


def test_a_folder_that_was_moved_sends_its_records_all_the_same(
    store: Store, written: Write, tmp_path: Path
) -> None:
    record = written(Finished(status="FINISHED"))
    moved = open_store(store.out.rename(tmp_path / "moved"))

    assert sync(moved, Silent()) == 1
    assert find_run(moved, record.id).name == "first"


def test_a_run_under_way_is_left_alone(store: Store, written: Write) -> None:
    record = written()
    record.lock()

    assert sync(store, Silent()) == 0

    assert find_run(store, record.id).status == "RUNNING"
    record.unlock()


def test_a_run_for_another_store_is_left_alone_and_named(store: Store, written: Write) -> None:
    written(Finished(status="FINISHED"))
    other, heard = open_store(store.out, "http://127.0.0.1:9"), _Heard()

    assert sync(other, heard) == 0

    assert len(heard.warnings) == 1
    assert "mlflow.db" in heard.warnings[0]
    assert len(list(store.records.glob("*/events.jsonl"))) == 1


def test_a_store_that_is_still_away_costs_nothing(
    store: Store, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = written(Finished(status="FINISHED"))
    away = type(connect(store))

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(away, "create_run", refuse)
    with pytest.raises(StoreError, match="Connection refused"):
        sync(store, Silent())
    monkeypatch.undo()

    assert not record.is_locked()
    assert sync(store, Silent()) == 1


@pytest.mark.slow
def test_the_record_of_a_killed_process_is_whole_and_can_be_sent(store: Store) -> None:
    code = """
import sys, threading
from pathlib import Path
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import open_store
from transfer.tracking.tracker import RunDescription
tracker = MlflowTracker(open_store(Path(sys.argv[1])), print)
record = tracker.start(RunDescription("demo", "first"))
for step in range(30):
    tracker.log({"train/loss": float(step)}, step)
print(record, flush=True)
threading.Event().wait()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.out)], stdout=subprocess.PIPE, text=True
    )
    record_id = process.stdout.readline().strip()
    assert find_run(store, record_id).status == "RUNNING"
    assert sync(store, Silent()) == 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert sync(store, Silent()) == 1

    run = find_run(store, record_id)
    assert run.status == "KILLED"
    history = connect(store).get_metric_history(run.run_id, "train/loss")
    assert [metric.step for metric in history] == list(range(30))
