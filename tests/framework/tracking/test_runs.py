import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from transfer.errors import DataNotFoundError, RunNotFoundError
from transfer.progress import Silent
from transfer.tracking.delivery import Delivery
from transfer.tracking.events import Finished, Numbers, Read, Started
from transfer.tracking.record import Record
from transfer.tracking.runs import fetch, find_run, list_runs, model_folder, runs_on_test
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.sync import sync
from transfer.tracking.tracker import DataInput, RunDescription

Write = Callable[..., Record]
_END = Finished(status="FINISHED")


def test_a_run_is_found_by_each_of_its_names(store: Store, written: Write) -> None:
    record = written(Numbers(step=0, values={"val/accuracy": 0.5}), _END, name="it's a run")
    sync(store, Silent())

    run = find_run(store, "it's a run")

    assert (run.name, run.experiment, run.status) == ("it's a run", "demo", "FINISHED")
    assert run.params == {"backbone": "resnet18"}
    assert run.metrics == {"val/accuracy": 0.5}
    assert run.started == datetime.fromtimestamp(1000, UTC)
    for name in (run.run_id, run.run_id[:6], record.id, record.id[:6], "last"):
        assert find_run(store, name) == run


def test_a_name_that_two_runs_share_is_refused_with_their_ids(store: Store, written: Write) -> None:
    written(_END)
    sync(store, Silent())
    kept_here = written(_END)

    with pytest.raises(RunNotFoundError, match="fits 2 runs") as refused:
        find_run(store, "first")

    ids = [line.split()[0] for line in str(refused.value).splitlines()[1:]]
    assert kept_here.id in ids
    assert {find_run(store, run_id).name for run_id in ids} == {"first"}


def test_the_last_run_is_the_one_that_started_last_here_or_there(
    store: Store, written: Write
) -> None:
    written(_END, name="there")
    sync(store, Silent())
    there = find_run(store, "last")
    assert there.name == "there"

    run = connect(store).create_run("1", start_time=9_000_000, run_name="of another tool")
    assert find_run(store, "last") == there
    with pytest.raises(RunNotFoundError):
        find_run(store, run.info.run_id)


def test_the_last_run_is_never_a_part_of_another(store: Store) -> None:
    ids = dict[str, str]()
    for time, name, parent in ((1, "old", None), (2, "folds", None), (3, "fold 1", "folds")):
        run = RunDescription("demo", name, parent=ids.get(parent or ""))
        start = Started(time=time, destination=store.destination, run=run)
        record = Record.create(store.records, start)
        record.append(_END)
        record.unlock()
        ids[name] = record.id
    assert find_run(store, "last").name == "folds"
    assert find_run(store, "fold 1").parent == ids["folds"]

    sync(store, Silent())

    assert find_run(store, "last").name == "folds"
    table = list_runs(store).set_index("name")
    assert table["parent"].to_dict() == {
        "fold 1": table.loc["folds", "run_id"], "folds": "", "old": "",
    }  # fmt: skip
    connect(store).delete_run(table.loc["folds", "run_id"])
    assert find_run(store, "last").name == "old"


def test_a_comparison_is_no_run_among_the_others(store: Store, written: Write) -> None:
    written(_END, name="trained")
    compared = written(_END, name="compare-a-b", **{"transfer.compared": "1,2"})

    for delivered in (False, True):
        if delivered:
            sync(store, Silent())
        assert list_runs(store)["name"].tolist() == ["trained"]
        assert find_run(store, "last").name == "trained"
        assert find_run(store, "compare-a-b").is_comparison
        assert find_run(store, compared.id).name == "compare-a-b"


def test_who_was_looked_at_on_the_same_test_rows_is_known(store: Store, written: Write) -> None:
    seen, rows = Numbers(step=0, values={"test/accuracy": 0.5}), {"transfer.test_digest": "abc"}
    written(seen, _END, name="there", **rows)
    written(_END, name="stopped", **rows)
    written(seen, _END, name="other rows", **{"transfer.test_digest": "abd"})
    written(seen, _END, name="compare-a-b", **rows, **{"transfer.compared": "1,2"})
    sync(store, Silent())
    assert [run.name for run in runs_on_test(store, "abc")] == ["there"]
    written(seen, _END, name="here", **rows)
    assert {run.name for run in runs_on_test(store, "abc")} == {"here", "there"}
    assert runs_on_test(store, "of nobody") == []


def test_a_run_knows_where_its_data_were(store: Store, written: Write) -> None:
    written(Read(inputs=(DataInput("chips", "val", "0" * 16, "/data/my chips é", 7, 2),)), _END)
    assert find_run(store, "first").data == "/data/my chips é"
    sync(store, Silent())
    assert find_run(store, "first").data == "/data/my chips é"
    written(_END, name="without")
    assert find_run(store, "without").data == ""


def test_a_short_start_of_an_id_finds_nothing(store: Store, written: Write) -> None:
    record = written(_END)

    with pytest.raises(RunNotFoundError):
        find_run(store, record.id[:5])


def test_a_misspelt_name_is_told_its_neighbour(store: Store, written: Write) -> None:
    written(_END, name="chips-probe")
    written(_END, name="faces")
    sync(store, Silent())

    with pytest.raises(RunNotFoundError, match="did you mean chips-probe"):
        find_run(store, "chips-prbe")


def test_a_store_without_runs_says_so_and_stays_unmade(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="none yet"):
        find_run(open_store(tmp_path / "mlruns"), "last")
    assert list_runs(open_store(tmp_path / "mlruns")).empty
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_half_delivered_is_one_run(
    store: Store, written: Write, model_files: Callable[[Path], None]
) -> None:
    record = written(Numbers(step=0, values={"val/accuracy": 0.5}))
    record.keep_model(model_files)
    delivery = Delivery(store, record, pytest.fail)
    delivery.advance()

    run = find_run(store, delivery.run_id)

    assert (run.record, run.status) == (record.folder, "KILLED")
    assert find_run(store, "first") == find_run(store, record.id) == run
    assert model_folder(store, run) == record.model
    assert list_runs(store)["run_id"].tolist() == [delivery.run_id]


def test_the_table_has_the_headline_of_each_run_the_newest_first(
    store: Store, written: Write
) -> None:
    scores = {"val/kappa": 0.5, "val/accuracy": 0.9, "test/kappa": 0.4, "test/kappa_low": 0.3}
    tags = {"transfer.headline": "kappa"}
    written(Numbers(step=0, values={**scores, "train/images_per_second": 10.0}), _END, **tags)
    sync(store, Silent())
    written(_END, name="second", experiment="other")

    table = list_runs(store)

    assert table.columns.tolist() == [
        *("name", "task", "backbone", "strategy", "val", "val_low", "val_high"),
        *("test", "test_low", "test_high", "images_per_second", "started", "status", "run_id"),
        "parent",
        "audit",
    ]
    assert sorted(table["name"]) == ["first", "second"]
    first = table[table["name"] == "first"].iloc[0]
    assert (first["task"], first["backbone"], first["val"]) == ("demo", "resnet18", 0.5)
    assert (first["test"], first["test_low"], first["images_per_second"]) == (0.4, 0.3, 10.0)
    assert math.isnan(first["val_low"])
    assert first["started"] == datetime.fromtimestamp(1000, UTC)


def test_more_runs_than_one_page_are_all_listed(
    store: Store, written: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.tracking.stored_runs.PAGE", 2)
    for number in range(5):
        written(_END, name=f"run {number}")
    sync(store, Silent())

    assert sorted(list_runs(store)["name"]) == [f"run {number}" for number in range(5)]


@pytest.mark.parametrize("status", ["delivered", "kept here"])
def test_what_a_run_keeps_is_fetched(
    store: Store, written: Write, tmp_path: Path, model_files: Callable[[Path], None], status: str
) -> None:
    record = written()
    record.keep("data/split.csv", b"key,split")
    record.keep_model(model_files)
    record.append(_END)
    if status == "delivered":
        sync(store, Silent())
    run = find_run(store, "first")

    file = fetch(store, run, "data/split.csv", tmp_path / "into")

    assert (run.record is None) == (status == "delivered")
    assert file.read_bytes() == b"key,split"
    assert file.is_relative_to(tmp_path / "into")
    model = model_folder(store, run)
    assert {path.name for path in model.iterdir()} == {"network.safetensors", "model.json"}
    assert model.is_relative_to(store.out)  # in a local store nothing is copied


def test_a_folder_is_fetched_whole(store: Store, written: Write, tmp_path: Path) -> None:
    record = written()
    record.keep("data/a.csv", b"a")
    record.keep("data/b.csv", b"b")
    record.append(_END)
    sync(store, Silent())

    folder = fetch(store, find_run(store, "first"), "data", tmp_path / "into")

    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]


def test_what_a_run_does_not_keep_is_refused_with_what_it_keeps(
    store: Store, written: Write, tmp_path: Path
) -> None:
    record = written()
    record.keep("recipe.json", b"{}")
    record.append(_END)
    sync(store, Silent())
    run = find_run(store, "first")

    with pytest.raises(DataNotFoundError, match=r"keeps no 'recipe.toml'; .*\['recipe.json'\]"):
        fetch(store, run, "recipe.toml", tmp_path)
    with pytest.raises(RunNotFoundError, match="kept no model"):
        model_folder(store, run)


def test_what_a_record_does_not_hold_is_not_looked_for_in_the_store(
    written: Write, tmp_path: Path
) -> None:
    record = written()
    away = open_store(record.folder.parents[1], "http://127.0.0.1:9")
    run = find_run(away, "first")

    with pytest.raises(DataNotFoundError, match=r"keeps no 'recipe.json'"):
        fetch(away, run, "recipe.json", tmp_path)
    with pytest.raises(RunNotFoundError, match="kept no model"):
        model_folder(away, run)
