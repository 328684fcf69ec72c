"""A run that was killed anywhere and is continued is the run that was not."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.progress import Silent
from transfer.tracking import spool
from transfer.tracking.delivery import RECORD_TAG, Delivery
from transfer.tracking.events import (
    Kept,
    ModelKept,
    Numbers,
    Read,
    Started,
    Tagged,
    to_line,
)
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.record import Record
from transfer.tracking.store import Store, connect
from transfer.tracking.sync import sync
from transfer.tracking.tracker import DataInput, RunDescription, Status, Tracker

_RUN = RunDescription("demo", "first", {"backbone": "resnet18"}, {"why": "test"})
_DATA = DataInput("chips", "train", "0" * 16, "data/chips", 7, 2)
_EVENTS = 11  # that a whole run says, the sample of the machine left out

Facts = dict[str, Any]


def _train(tracker: Tracker, status: Status = "FINISHED", resume: str | None = None) -> str:
    """Say a whole run from its start, as a run does whether it is continued or not."""
    tracker.start(_RUN, resume)
    tracker.read([_DATA])
    tracker.keep("recipe.json", b"{}")
    for epoch in range(4):
        loss = float("nan") if epoch == 2 else 0.1 / (epoch + 1)
        tracker.log({"train/loss": loss, "epoch/accuracy": 1 - 1 / (epoch + 3)}, epoch)
    tracker.tag({"why": "changed", "transfer.kept_epoch": "3"})
    tracker.keep("figures/a b.png", b"picture")
    tracker.log({"val/accuracy": 0.7, "test/accuracy": 2 / 3}, 3)
    return tracker.finish(status)


def _facts(record: Record) -> Facts:
    """Return what a record says in the end, and check that it says each number once."""
    facts: Facts = {"tags": {}, "inputs": [], "files": {}, "model": {}}
    numbers: list[tuple[str, int, str]] = []
    for event, _ in record.events():
        match event:
            case Started(run=run):
                facts |= {"params": run.params, "tags": dict(run.tags)}
            case Tagged(tags=tags):
                facts["tags"] |= tags
            case Read(inputs=inputs):
                facts["inputs"] += inputs
            case Numbers(step=step, values=values):
                numbers += [(name, step, repr(value)) for name, value in values.items()]
            case Kept(path=path):
                facts["files"][path] = record.file(path).read_bytes()
            case ModelKept():
                facts["model"] = {file.name: file.read_bytes() for file in record.model.iterdir()}
    assert len({(name, step) for name, step, _ in numbers}) == len(numbers)
    numbers = [number for number in numbers if not number[0].startswith("system/")]
    return facts | {"numbers": sorted(numbers), "status": record.status}


def _stored(store: Store, run_id: str) -> Facts:
    """Return what MLflow says of a run, and check that it says each number once."""
    client = connect(store)
    run = client.get_run(run_id)
    history: dict[str, list[tuple[int, str]]] = {}
    for name in run.data.metrics:
        steps = [(m.step, repr(m.value)) for m in client.get_metric_history(run_id, name)]
        assert len({step for step, _ in steps}) == len(steps)
        history[name] = steps
    return {
        "status": run.info.status,
        "params": run.data.params,
        "tags": {name: text for name, text in run.data.tags.items() if name != RECORD_TAG},
        "history": {name: steps for name, steps in history.items() if "system/" not in name},
        "inputs": [data.dataset.digest for data in run.inputs.dataset_inputs],
        "files": sorted(file.path for file in client.list_artifacts(run_id)),
        "models": len(run.outputs.model_outputs),
    }


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine deliver a killed run, too, before it is looked at."""
    monkeypatch.setattr(spool, "_KILLED_SECONDS", 60.0)


@pytest.fixture
def undelivered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be delivered, and every record stay."""
    monkeypatch.setattr(Delivery, "advance", lambda _: False)
    monkeypatch.setattr(Delivery, "close", lambda self: self._record.unlock())


@pytest.fixture
def killed(store: Store) -> Callable[..., Record]:
    """Make the record that a process leaves when it is killed behind this many events.

    `whole` is the record of the run that was not killed; `torn` bytes of the next line are there.
    """

    def kill(whole: Record, events: int, torn: int = 0) -> Record:
        left = Record(store.records / f"{events:04x}{torn:04x}{time.monotonic_ns():024x}")
        left.folder.mkdir()
        lines = (whole.folder / "events.jsonl").read_bytes().splitlines(keepends=True)
        said = b"".join(lines[:events]) + b"".join(lines[events:])[:torn]
        (left.folder / "events.jsonl").write_bytes(said)
        for event, _ in left.events():
            if isinstance(event, Kept):
                left.file(event.path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(whole.file(event.path), left.file(event.path))
        return left

    return kill


@pytest.fixture
def whole(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Record:
    """The record of a run that nothing happened to, kept beside the store."""
    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "advance", lambda _: False)
        patch.setattr(Delivery, "close", lambda self: self._record.unlock())
        tracker = MlflowTracker(store, pytest.fail)
        _train(tracker)
    (folder,) = [path for path in store.records.iterdir() if path.is_dir()]
    kept = Record(folder.rename(tmp_path / folder.name))
    path = kept.folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"system/" not in line))
    assert len(list(kept.events())) == _EVENTS
    return kept


def test_a_record_cut_at_any_byte_opens_with_the_events_before(
    whole: Record, tmp_path: Path
) -> None:
    content = (whole.folder / "events.jsonl").read_bytes()
    ends = [end for _, end in whole.events()]
    lines = content.splitlines(keepends=True)
    (destination,) = [event.destination for event, _ in whole.events() if event.kind == "started"]
    (tmp_path / "cut").mkdir()
    for length in range(ends[0], len(content) + 1, 3):
        (tmp_path / "cut" / "events.jsonl").write_bytes(content[:length])
        record = Record.reopen(tmp_path, "cut", destination)
        record.append(Tagged(time=1, tags={}))
        record.unlock()

        before = lines[: sum(end <= length for end in ends)]
        said = [to_line(event) for event, _ in record.events() if event.kind != "reopened"]
        assert said == [*before, to_line(Tagged(time=1, tags={}))]


@pytest.mark.usefixtures("undelivered")
@pytest.mark.parametrize("events", range(1, _EVENTS + 1))
def test_a_record_continued_behind_any_event_is_the_whole_record(
    store: Store, whole: Record, killed: Callable[..., Record], events: int
) -> None:
    for torn in (0, 25):
        once = killed(whole, events, torn)
        _train(MlflowTracker(store, pytest.fail), resume=once.id)
        assert _facts(once) == _facts(whole)

        many = len(list(once.events()))
        again = killed(once, (events + many) // 2, torn)
        _train(MlflowTracker(store, pytest.fail), resume=again.id)
        assert _facts(again) == _facts(whole)


@pytest.mark.parametrize("delivered", ["nothing", "half", "all", "synced"])
@pytest.mark.parametrize("events", range(1, _EVENTS + 1, 2))
def test_a_run_continued_behind_any_event_is_the_whole_run_in_mlflow(
    store: Store, whole: Record, killed: Callable[..., Record], events: int, delivered: str
) -> None:
    uninterrupted = _train(MlflowTracker(store, pytest.fail))
    record = killed(whole, events)
    store.checkpoints(record.id).mkdir(parents=True)
    delivery = Delivery(store, record, pytest.fail)
    for _ in range({"nothing": 0, "half": events // 2, "all": events}.get(delivered, 0)):
        delivery.advance()
    if delivered == "synced":
        sync(store, Silent())
        if events == _EVENTS:  # it had finished: there is nothing to continue
            assert not record.folder.exists()
            return

    resumed = _train(MlflowTracker(store, pytest.fail), resume=record.id)

    assert _stored(store, resumed) == _stored(store, uninterrupted)
    assert len(connect(store).search_runs(["1"], f"tags.`{RECORD_TAG}` = '{record.id}'")) == 1
    assert not record.folder.exists()


@pytest.mark.usefixtures("undelivered")
def test_a_value_that_differs_is_told_once_and_the_first_stands(
    store: Store, whole: Record, killed: Callable[..., Record]
) -> None:
    record, warnings = killed(whole, _EVENTS), list[str]()
    tracker = MlflowTracker(store, warnings.append)
    tracker.start(RunDescription("demo", "first", {"backbone": "resnet50"}), record.id)
    for epoch in range(2):
        tracker.log({"train/loss": 9.0}, epoch)
    tracker.finish("FINISHED")

    (warning,) = warnings
    assert "'train/loss' at step 0 was 0.1 before and is 9.0 now" in warning
    assert _facts(record) == _facts(whole)


@pytest.mark.usefixtures("undelivered")
def test_the_machine_is_watched_on_from_the_last_sample(
    store: Store, whole: Record, killed: Callable[..., Record]
) -> None:
    record = killed(whole, 3)
    for _ in range(3):
        tracker = MlflowTracker(store, pytest.fail)
        tracker.start(_RUN, record.id)
        tracker.finish("KILLED")

    steps = [
        event.step
        for event, _ in record.events()
        if isinstance(event, Numbers) and "system/cpu_utilization_percentage" in event.values
    ]
    assert steps == [0, 1, 2]
