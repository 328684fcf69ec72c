import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from transfer.errors import StoreError
from transfer.progress import Silent
from transfer.tracking.events import Finished
from transfer.tracking.record import Record
from transfer.tracking.registry import Parcel, register
from transfer.tracking.relocation import check, relocate
from transfer.tracking.runs import fetch, find_run, model_folder
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.sync import sync

NAMES = ("first", "second", "third")


@pytest.fixture
def moved(
    store: Store,
    written: Callable[..., Record],
    model_files: Callable[[Path], None],
    tmp_path: Path,
) -> Store:
    """Three runs with a file and a model each, one of them under a name, in another folder now."""
    for name in NAMES:
        record = written(name=name)
        record.lock()
        record.keep("recipe.json", name.encode())
        record.keep_model(model_files)
        record.append(Finished(status="FINISHED"))
        record.unlock()
    sync(store, Silent())
    first = find_run(store, "first")
    parcel = Parcel(model_folder(store, first), (), ("numpy",))
    register(store, first.run_id, "named é", "champion", parcel, {})
    there = tmp_path / "moved é #2" / "runs"
    there.parent.mkdir()
    store.out.rename(there)
    return open_store(there)


def test_a_store_that_was_moved_finds_every_file_again_and_tells_what_is_lost(
    moved: Store, tmp_path: Path
) -> None:
    found = check(moved)
    assert (found.kept, sum(found.moved.values()), found.lost) == (0, 7, ())
    assert relocate(moved) == 7
    assert (check(moved).kept, relocate(moved)) == (7, 0)
    for name in NAMES:
        run = find_run(moved, name)
        assert fetch(moved, run, "recipe.json", tmp_path / name).read_text() == name
        assert (model_folder(moved, run) / "model.json").is_file()
    assert find_run(moved, "champion:named é").name == "first"
    version = connect(moved).get_model_version_by_alias("named é", "champion")
    assert version.source.startswith(f"{moved.artifacts}/")
    with closing(sqlite3.connect(moved.database)) as database:
        text = "\n".join(database.iterdump())
    assert (tmp_path / "my runs #1 é").as_uri() not in text
    assert Path(f"{moved.database}.before-relocation").is_file()

    gone = moved.out / "artifacts" / find_run(moved, "second").run_id
    gone.rename(tmp_path / "gone")
    before = moved.database.read_bytes()
    assert check(moved).lost == (f"{gone.as_uri()}/artifacts",)
    assert moved.database.read_bytes() == before


def test_only_a_folder_can_be_moved(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="keeps its own files"):
        check(open_store(tmp_path, "http://127.0.0.1:1"))
    with pytest.raises(StoreError, match="no run store in"):
        relocate(open_store(tmp_path / "none"))


def test_an_old_file_store_is_told_how_to_migrate(
    tmp_path: Path, command_line: Callable[..., object]
) -> None:
    old = tmp_path / "mlruns"
    (old / "0").mkdir(parents=True)
    (old / "0" / "meta.yaml").write_text("name: Default\n")
    typed = command_line("store", "check", "--store", old)
    assert typed.code == 0
    assert (
        f"mlflow migrate-filestore --source {old} --target sqlite:///{old}-migrated.db" in typed.out
    )
