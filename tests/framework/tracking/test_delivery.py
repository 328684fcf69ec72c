import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from transfer.errors import StoreError
from transfer.tracking.delivery import CUT_TAG, PARENT_TAG, RECORD_TAG, Delivery
from transfer.tracking.events import (
    Event,
    Finished,
    Kept,
    Numbers,
    Read,
    Started,
    Tagged,
)
from transfer.tracking.record import Position, Record
from transfer.tracking.saved_view import SAVED_VIEW_TAG
from transfer.tracking.store import Store, connect
from transfer.tracking.tracker import HEADLINE_TAG, DataInput, RunDescription

Write = Callable[..., Record]


def _deliver(store: Store, record: Record) -> tuple[Any, list[str]]:
    """Return the run as MLflow has it, and what was warned of."""
    warnings: list[str] = []
    delivery = Delivery(store, record, warnings.append)
    while delivery.advance():
        pass
    return connect(store).get_run(delivery.run_id), warnings


def _run_with(store: Store, params: Mapping[str, str]) -> Record:
    run = RunDescription("demo", "first", params)
    return Record.create(store.records, Started(destination=store.destination, run=run))


def _history(store: Store, run: Any, name: str) -> list[tuple[int, float, int]]:
    history = connect(store).get_metric_history(run.info.run_id, name)
    return [(metric.step, metric.value, metric.timestamp) for metric in history]


def test_a_run_arrives_with_its_own_times(store: Store, written: Write) -> None:
    record = written(
        Tagged(tags={"why": "test"}),
        Numbers(time=1_000_500, step=0, values={"train/loss": 2.5, "train/lr": 0.1}),
        Numbers(time=1_000_900, step=1, values={"train/loss": 1.5}),
        Finished(time=1_002_000, status="FAILED"),
    )

    run, warnings = _deliver(store, record)

    info = run.info
    assert (info.run_name, info.start_time, info.end_time) == ("first", 1_000_000, 1_002_000)
    assert info.status == "FAILED"
    assert run.data.params == {"backbone": "resnet18"}
    assert run.data.tags["why"] == "test"
    assert run.data.tags[RECORD_TAG] == record.id
    assert _history(store, run, "train/loss") == [(0, 2.5, 1_000_500), (1, 1.5, 1_000_900)]
    assert warnings == []


def test_what_is_sent_twice_arrives_once(
    store: Store, written: Write, model_files: Callable[[Path], None]
) -> None:
    nan = float("nan")
    record = written(
        Read(inputs=(DataInput("chips", "train", "0" * 16, "data/chips", 7, 2),)),
        Numbers(step=0, values={"train/loss": 2.5, "train/odd": nan}),
        Numbers(step=1, values={"train/loss": 1.5}),
    )
    record.keep("a.txt", b"bytes")
    record.keep_model(model_files)
    record.append(Finished(status="FINISHED"))
    once, _ = _deliver(store, record)

    record.deliver_to(Position())  # as if nobody remembered
    twice, _ = _deliver(store, record)

    client = connect(store)
    assert twice.info.run_id == once.info.run_id
    assert len(client.search_runs([once.info.experiment_id])) == 1
    assert [step for step, *_ in _history(store, twice, "train/loss")] == [0, 1]
    assert len(_history(store, twice, "train/odd")) == 1
    assert len(twice.inputs.dataset_inputs) == 1
    assert len(twice.outputs.model_outputs) == 1
    assert len(client.search_logged_models([once.info.experiment_id])) == 1


def test_delivery_goes_on_where_it_was_broken_off(
    store: Store, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = written(
        Numbers(step=0, values={"train/loss": 2.5}),
        Kept(path="nothing stands here"),
        Numbers(step=1, values={"train/loss": 1.5}),
    )
    first = Delivery(store, record, pytest.fail)
    assert first.advance()
    assert first.advance()

    record.keep("nothing stands here", b"now it does")
    sent: list[Event] = []
    send = Delivery._send
    monkeypatch.setattr(Delivery, "_send", lambda self, new: (sent.extend(new), send(self, new)))
    run, _ = _deliver(store, record)

    assert [event.kind for event in sent] == ["kept", "numbers", "kept"]
    assert [step for step, *_ in _history(store, run, "train/loss")] == [0, 1]


def test_numbers_share_requests_of_a_thousand(
    store: Store, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [Numbers(step=i, values={f"m{j}": i * j for j in range(12)}) for i in range(200)]
    record = written(*events)
    sizes: list[int] = []
    client = type(connect(store))
    log_batch = client.log_batch

    def count(self: Any, run_id: str, metrics: Any = (), **rest: Any) -> None:
        sizes.append(len(metrics))
        log_batch(self, run_id, metrics=metrics, **rest)

    monkeypatch.setattr(client, "log_batch", count)
    run, _ = _deliver(store, record)

    sizes = [size for size in sizes if size]
    assert sum(sizes) == 200 * 12
    assert max(sizes) <= 1000
    assert len(sizes) == 3  # 83 events of 12 fill one
    assert run.data.metrics["m11"] == 199 * 11


def test_more_params_than_one_request_carries_all_arrive(store: Store) -> None:
    params = {f"setting.{number}": str(number) for number in range(250)}

    run, _ = _deliver(store, _run_with(store, params))

    assert run.data.params == params


def test_a_long_param_is_cut_and_said_to_be(store: Store) -> None:
    run, warnings = _deliver(store, _run_with(store, {"long": "x" * 7000, "short": "y" * 6000}))

    assert run.data.params == {"long": "x" * 6000, "short": "y" * 6000}
    assert run.data.tags[CUT_TAG] == "long"
    assert len(warnings) == 1
    assert "'long'" in warnings[0]


def test_names_that_mlflow_refuses_are_bent_and_not_lost(store: Store, written: Write) -> None:
    names = ["tar@far=1e-3", "top(5)", "a//b", "/rooted", "kept: a-b_c.d/e f", "größe"]
    record = written(Numbers(step=0, values=dict.fromkeys(names, 1.0)))

    run, warnings = _deliver(store, record)

    assert set(run.data.metrics) == {
        "tar_far_1e-3",
        "top_5_",
        "a/b",
        "rooted",
        "kept: a-b_c.d/e f",
        "größe",
    }
    assert warnings == []


def test_what_the_store_will_never_take_holds_nothing_up(store: Store, written: Write) -> None:
    record = written(Numbers(step=0, values={"train/loss": 1.0}))
    run, _ = _deliver(store, record)
    connect(store).delete_run(run.info.run_id)
    for step in (1, 2):
        record.append(Tagged(tags={"step": str(step)}))

    _, warnings = _deliver(store, record)

    assert len(warnings) == 1
    assert "refuses" in warnings[0]


def test_data_arrives_as_one_input_a_split_under_our_digest(store: Store, written: Write) -> None:
    splits = [
        DataInput("chips", split, f"{rows:016x}", "data/chips", rows, 3)
        for split, rows in (("train", 70), ("val", 15), ("test", 16))
    ]
    run, _ = _deliver(store, written(Read(inputs=tuple(splits))))

    found = {
        (data.tags[0].key, data.tags[0].value): data.dataset for data in run.inputs.dataset_inputs
    }
    assert {context for _, context in found} == {"train", "val", "test"}
    test = found["mlflow.data.context", "test"]
    assert (test.name, test.digest) == ("chips", f"{16:016x}")
    assert test.profile == '{"num_rows": 16, "num_classes": 3}'
    assert "data/chips" in test.source


def test_files_arrive_under_their_paths(store: Store, written: Write, tmp_path: Path) -> None:
    record = written()
    record.keep("recipe.json", b"{}")
    record.keep("figures/val/a b.png", b"picture")

    run, _ = _deliver(store, record)

    client, into = connect(store), tmp_path / "into"
    into.mkdir()
    client.download_artifacts(run.info.run_id, "", str(into))
    found = {path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()}
    assert found == {"recipe.json", "figures/val/a b.png"}


def _part_of(store: Store, parent: str) -> Record:
    run = RunDescription("demo", "fold 1", parent=parent)
    return Record.create(store.records, Started(destination=store.destination, run=run))


@pytest.mark.parametrize("here", ["its record is here", "its record is gone"])
def test_a_part_stands_under_the_run_it_is_a_part_of(
    store: Store, written: Write, here: str
) -> None:
    parent = written()
    part = _part_of(store, parent.id)
    above, _ = _deliver(store, parent)
    if here == "its record is gone":
        parent.remove()

    run, _ = _deliver(store, part)

    assert run.data.tags[PARENT_TAG] == above.info.run_id


def test_a_part_waits_for_the_run_it_is_a_part_of(store: Store, written: Write) -> None:
    parent = written()
    part = _part_of(store, parent.id)
    with pytest.raises(StoreError, match="no parent of this run yet"):
        _deliver(store, part)

    above, _ = _deliver(store, parent)

    assert _deliver(store, part)[0].data.tags[PARENT_TAG] == above.info.run_id


def test_a_part_of_a_run_that_is_nowhere_arrives_alone(store: Store) -> None:
    run, warnings = _deliver(store, _part_of(store, "0" * 32))

    assert PARENT_TAG not in run.data.tags
    assert warnings == []


def test_a_figure_is_an_image_under_the_same_key_in_every_run(
    store: Store, written: Write, tmp_path: Path
) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", (8, 4), "red").save(drawn, "png")
    for name in ("first", "second"):
        record = written(name=name)
        record.keep("figures/test_confusion.png", drawn.getvalue())
        record.keep("figures/torn.png", b"no picture")

        run, warnings = _deliver(store, record)

        images = connect(store).list_artifacts(run.info.run_id, "images")
        keys = {image.path.partition("+timestamp")[0] for image in images}
        assert (keys, warnings) == ({"images/test_confusion+step+0"}, [])
        kept = connect(store).list_artifacts(run.info.run_id, "figures")
        assert [file.path for file in kept] == ["figures/test_confusion.png", "figures/torn.png"]


def test_an_experiment_has_a_view_of_its_scores_which_people_may_change(store: Store) -> None:
    tags = {HEADLINE_TAG: "kappa"}
    run, _ = _deliver(store, _tagged(store, tags))
    client, experiment = connect(store), run.info.experiment_id
    view = json.loads(client.get_experiment(experiment).tags[SAVED_VIEW_TAG])
    assert view["name"] == "scores"
    columns = json.loads(view["state"])["selectedColumns"]
    assert {"metrics.`val/kappa`", "metrics.`test/kappa_low`", "params.`strategy`"} <= {*columns}

    client.set_experiment_tag(experiment, SAVED_VIEW_TAG, "changed")
    _deliver(store, _tagged(store, tags))
    assert client.get_experiment(experiment).tags[SAVED_VIEW_TAG] == "changed"


def _tagged(store: Store, tags: Mapping[str, str]) -> Record:
    run = RunDescription("demo", "tagged", tags=tags)
    return Record.create(store.records, Started(destination=store.destination, run=run))
