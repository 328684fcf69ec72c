import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from transfer.errors import OutputError, StoreError
from transfer.tracking import store as of_stores
from transfer.tracking.door import mlflow_module
from transfer.tracking.store import Store, connect, experiment_id, open_store, prepare_folder


def test_the_store_is_the_folder_unless_a_uri_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_store(tmp_path).uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert open_store(tmp_path).database == tmp_path / "mlflow.db"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://of-the-environment")
    assert open_store(tmp_path).uri == "http://of-the-environment"
    assert open_store(tmp_path, "http://typed").uri == "http://typed"
    assert open_store(tmp_path, "http://typed").is_server


def test_opening_touches_no_disk_and_does_not_depend_on_the_folder_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    store = open_store(Path("a/../runs"))

    assert store.out == tmp_path / "runs"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns", "mlruns", "databricks"])
def test_a_uri_that_mlflow_cannot_write_to_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(StoreError, match="no http://host:port and no database"):
        open_store(tmp_path, uri)


@pytest.mark.parametrize("name", ["what?", "50%20"])
def test_a_folder_that_no_database_address_can_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="in its path"):
        open_store(tmp_path / name)


def test_a_password_is_not_in_the_address(tmp_path: Path) -> None:
    store = open_store(tmp_path, "https://me:secret@host:5000/path")

    assert store.address == "https://host:5000/path"


@pytest.mark.parametrize(
    "uri", ["http://me:sec/ret@host:5000", "http://me:secret@:5000", "http://me:sec?ret@host"]
)
def test_an_address_without_a_host_is_refused_and_never_shown(tmp_path: Path, uri: str) -> None:
    with pytest.raises(StoreError, match=r"no host and port.*MLFLOW_TRACKING_PASSWORD") as told:
        open_store(tmp_path, uri)
    assert "ret" not in str(told.value)


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_store(tmp_path / "file" / "mlruns")

    with pytest.raises(OutputError, match=r"file/mlruns'.*--out"):
        prepare_folder(store)
    with pytest.raises(OutputError, match=r"file/mlruns'.*--out"):
        connect(store)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError, match=r"Permission denied.*--out"):
        prepare_folder(open_store(tmp_path))


def test_an_old_file_store_in_the_way_is_explained(store: Store) -> None:
    (store.out / "0").mkdir()
    (store.out / "0" / "meta.yaml").touch()

    with pytest.raises(StoreError, match=r"0/meta\.yaml' belongs to a file store"):
        prepare_folder(store)


def test_a_file_that_is_no_database_is_named(store: Store) -> None:
    (store.out / "mlflow.db").write_bytes(b"something else altogether")

    with pytest.raises(StoreError, match=r"mlflow\.db' is no database"):
        prepare_folder(store)


def test_an_experiment_is_made_once_opens_on_runs_and_keeps_its_files_in_the_folder(
    store: Store,
) -> None:
    client = connect(store)

    made = experiment_id(client, store, "demo")

    assert experiment_id(client, store, "demo") == made
    experiment = client.get_experiment(made)
    assert experiment.artifact_location == (store.out / "artifacts").as_uri()
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_deleted_experiment_comes_back_for_a_new_run(store: Store) -> None:
    client = connect(store)
    made = experiment_id(client, store, "demo")
    client.delete_experiment(made)

    assert experiment_id(client, store, "demo") == made
    assert client.get_experiment(made).lifecycle_stage == "active"


@pytest.mark.slow
def test_four_processes_on_a_fresh_store_all_keep_their_run(
    start_python: Callable[..., Any], tmp_path: Path
) -> None:
    code = """
import json, sys
from pathlib import Path
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import open_store
from transfer.tracking.tracker import RunDescription
tracker = MlflowTracker(open_store(Path(sys.argv[1])), print)
record = tracker.start(RunDescription("demo", sys.argv[2]))
for step in range(20):
    tracker.log({"train/loss": step / 3}, step)
run = tracker.finish("FINISHED")
print(json.dumps([record, run]))
"""
    started = [start_python(code, tmp_path / "mlruns", f"run {number}") for number in range(4)]
    said = [process.communicate() for process in started]

    assert [errors for _, errors in said] == [""] * 4
    ids = [json.loads(text) for text, _ in said]
    assert all(record != run for record, run in ids)
    client = connect(open_store(tmp_path / "mlruns"))
    histories = [client.get_metric_history(run, "train/loss") for _, run in ids]
    assert [[metric.step for metric in history] for history in histories] == [list(range(20))] * 4


@pytest.mark.slow
def test_the_database_of_an_older_mlflow_is_upgraded_beside_a_copy(tmp_path: Path) -> None:
    utils = mlflow_module("mlflow.store.db.utils")
    command = mlflow_module("alembic.command")
    initial = mlflow_module("mlflow.store.tracking.dbmodels.initial_models")
    store = open_store(tmp_path)
    engine = utils.create_sqlalchemy_engine(store.uri)
    initial.Base.metadata.create_all(engine)
    config = utils._get_alembic_config(store.uri)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "bda7b8c39065")  # as mlflow 2.14 left it
        connection.exec_driver_sql(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage)"
            " VALUES (7, 'demo', 'file:///there', 'active')"
        )
    engine.dispose()
    shutil.copy2(tmp_path / "mlflow.db", tmp_path / "as it was")

    client = connect(store)

    assert client.get_experiment_by_name("demo").experiment_id == "7"
    (copy,) = tmp_path.glob("mlflow.db.before-*")
    tables = "SELECT name FROM sqlite_master ORDER BY name"
    with (
        closing(sqlite3.connect(copy)) as kept,
        closing(sqlite3.connect(tmp_path / "as it was")) as before,
    ):
        assert kept.execute(tables).fetchall() == before.execute(tables).fetchall()


def test_the_database_of_a_newer_mlflow_is_refused(store: Store) -> None:
    with closing(sqlite3.connect(store.out / "mlflow.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")

    with pytest.raises(StoreError, match="written by a newer MLflow; upgrade mlflow"):
        connect(store)


@pytest.mark.usefixtures("fresh_stores_are_made")
def test_a_database_that_was_half_made_when_its_process_died_is_made_anew(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs")
    assert store.database is not None
    store.out.mkdir()
    half = store.database.with_name("mlflow.db.incoming")
    with closing(sqlite3.connect(half)) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('an early step')")
        database.commit()
    assert connect(store).search_runs(["0"]) == []
    assert not half.exists()


def test_only_the_database_that_is_being_made_does_not_wait_for_the_disk(tmp_path: Path) -> None:
    sqlalchemy = mlflow_module("sqlalchemy")

    def waits(name: str) -> int:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / name}")
        with engine.connect() as connection:
            return int(connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar())

    with of_stores._written_at_once(tmp_path / "made.incoming"):
        assert waits("made.incoming") == 0
        assert waits("studies.db") == 2
    assert waits("made.incoming") == 2
