from collections.abc import Callable
from pathlib import Path

from transfer.progress import Silent
from transfer.tracking.events import Finished
from transfer.tracking.names import names_in_use, unique_name
from transfer.tracking.record import Record
from transfer.tracking.runs import find_run
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.sync import sync

Write = Callable[..., Record]


def test_a_taken_name_gets_the_next_number(store: Store, written: Write) -> None:
    assert unique_name(store, "demo", "x") == "x"
    written(Finished(status="FINISHED"), name="x")
    sync(store, Silent())
    assert unique_name(store, "demo", "x") == "x-2"
    written(name="x-2")  # under way, or not delivered
    assert unique_name(store, "demo", "x") == "x-3"


def test_names_are_taken_within_one_experiment_until_the_run_is_deleted(
    store: Store, written: Write
) -> None:
    written(Finished(status="FINISHED"), name="x", experiment="other")
    sync(store, Silent())
    assert unique_name(store, "demo", "x") == "x"
    assert names_in_use(store, "other") == {"x"}

    connect(store).delete_run(find_run(store, "x").run_id)

    assert names_in_use(store, "other") == set()


def test_the_name_of_the_last_run_is_never_given(store: Store) -> None:
    assert unique_name(store, "demo", "last") == "last-2"


def test_a_store_that_is_not_there_yet_has_no_names_and_stays_unmade(tmp_path: Path) -> None:
    assert names_in_use(open_store(tmp_path / "mlruns"), "demo") == set()
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_leaves_the_names_of_this_machine(
    store: Store, written: Write
) -> None:
    written(name="x")
    away = open_store(store.out, "http://127.0.0.1:9")

    assert unique_name(away, "demo", "x") == "x-2"
