"""Against a real `mlflow server` on this machine, which dies and comes back."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from transfer.errors import StoreError
from transfer.progress import Silent
from transfer.tracking import spool
from transfer.tracking.environment import environment_tags
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.names import unique_name
from transfer.tracking.registry import Parcel, register, run_of_alias
from transfer.tracking.runs import fetch, find_run, list_runs, model_folder
from transfer.tracking.saved_view import SAVED_VIEW
from transfer.tracking.store import Store, connect, open_store
from transfer.tracking.sync import sync
from transfer.tracking.tracker import (
    HEADLINE_TAG,
    NOTE_TAG,
    THROUGHPUT,
    RunDescription,
    Status,
    Tracker,
)
from transfer.tracking.ui import user_interface

pytestmark = pytest.mark.slow


class Server:
    """What `transfer ui` starts on a store, always on the same port."""

    def __init__(self, store: Store, *options: str, **environment: str) -> None:
        self._options, self._environment = options, environment
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self.store = store
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        interface = user_interface(self.store, port=self.port)
        with (self.store.out / "log").open("a") as log:
            self._process = subprocess.Popen(
                [*interface.command, *self._options],
                env={**os.environ, **interface.environment, **self._environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while self.get("/health")[0] != HTTPStatus.OK:
            assert self._process.poll() is None, (self.store.out / "log").read_text()

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of a page; status 0 where nobody answers."""
        with suppress(OSError), closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as line:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        return 0, ""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(open_store(folder, f"sqlite:///{folder}/mlflow.db"))
    connect(server.store)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def remote(server: Server, tmp_path: Path) -> Store:
    return open_store(tmp_path / "mlruns", f"http://127.0.0.1:{server.port}")


def _log(tracker: Tracker, steps: range) -> None:
    for step in steps:
        tracker.log({"train/loss": step / 7}, step)


def _steps(client: Any, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(metric.step, metric.value) for metric in client.get_metric_history(run_id, name)]


def test_a_run_lives_on_the_server_with_its_files_and_its_model(
    remote: Store, server: Server, model_files: Callable[[Path], None], tmp_path: Path
) -> None:
    tracker = MlflowTracker(remote, pytest.fail)
    params = {f"setting.{number}": "x" * 100 for number in range(150)}
    tags = {"transfer.headline": "accuracy"}
    record_id = tracker.start(RunDescription("demo", "whole", params, tags))
    tracker.log({"val/accuracy": 0.75, "train/loss": float("nan")})
    tracker.keep("figures/a b.png", b"picture")
    tracker.keep_model(model_files)
    run_id = tracker.finish("FINISHED")

    run = find_run(remote, record_id)
    assert (run.run_id, run.status, run.params) == (run_id, "FINISHED", params)
    assert fetch(remote, run, "figures/a b.png", tmp_path / "into").read_bytes() == b"picture"
    folder = model_folder(remote, run)
    assert (folder / "network.safetensors").read_bytes() == b"weights"
    assert folder == model_folder(remote, run)
    assert list_runs(remote).query("name == 'whole'")["val"].tolist() == [0.75]
    assert unique_name(remote, "demo", "whole") == "whole-2"
    assert "MLflow" in server.get("/")[1]
    assert list((server.store.out / "artifacts").rglob("served_model.py"))
    assert not (remote.out / "artifacts").exists()


BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def _seen(address: str) -> str:
    """Return the page as a browser has it when nothing has moved for a while."""
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=2400,2000"]
    wait = ["--virtual-time-budget=15000", "--dump-dom"]
    command = [str(BROWSER), *quiet, *wait, address]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout


@pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine")
def test_the_pages_show_what_tells_runs_apart(remote: Store, server: Server) -> None:
    ids = []
    for name, score in (("careful", 0.8125), ("hasty", 0.4375)):
        tracker = MlflowTracker(remote, pytest.fail)
        tags = {HEADLINE_TAG: "kappa", NOTE_TAG: f"kappa {score} on test · a card"}
        tracker.start(RunDescription("looked at", name, {"strategy": name}, tags))
        tracker.log({THROUGHPUT: 71.5})
        tracker.log({f"val/kappa{end}": score for end in ("", "_low", "_high")})
        drawn = io.BytesIO()
        Image.new("RGB", (8, 8), "red").save(drawn, "png")
        tracker.keep("figures/views.png", drawn.getvalue())
        ids.append(tracker.finish("FINISHED"))
    experiment = connect(remote).get_run(ids[0]).info.experiment_id

    root = f"http://127.0.0.1:{server.port}/#"
    runs = _seen(f"{root}/experiments/{experiment}/runs?viewStateShareKey={SAVED_VIEW}")
    for text in ("careful", "hasty", "kappa 0.4375 on test", "val/kappa_low", "0.8125", "71.5"):
        assert text in runs
    listed, within = quote(json.dumps(ids)), quote(json.dumps([experiment]))
    compared = _seen(f"{root}/compare-runs?runs={listed}&experiments={within}")
    assert "Comparing 2 Runs" in compared
    assert "0.813" in compared


def test_a_server_that_dies_half_way_costs_the_run_nothing(
    remote: Store,
    server: Server,
    model_files: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool, "_FAILING_SECONDS", 0.5)
    warnings: list[str] = []
    tracker = MlflowTracker(remote, warnings.append)
    record_id = tracker.start(RunDescription("demo", "half way"))
    _log(tracker, range(10))
    _wait_for(lambda: _delivered_steps(remote, record_id))

    server.kill()
    _log(tracker, range(10, 20))
    tracker.keep("recipe.json", b"{}")
    tracker.keep_model(model_files)
    assert tracker.finish("FINISHED") == record_id
    assert len(warnings) == 1
    assert model_folder(remote, find_run(remote, "half way")).is_dir()
    started = _begin_without_server(remote)

    server.start()
    assert sync(remote, Silent()) == 2

    client = connect(remote)
    run = find_run(remote, record_id)
    assert run.status == "FINISHED"
    assert _steps(client, run.run_id, "train/loss") == [(step, step / 7) for step in range(20)]
    assert [file.path for file in client.list_artifacts(run.run_id)] == ["recipe.json"]
    assert (
        len(client.search_logged_models(_experiments(client), f"source_run_id = '{run.run_id}'"))
        == 1
    )
    alone = find_run(remote, "alone")
    assert (alone.status, alone.started) == ("FAILED", started)
    assert _steps(client, alone.run_id, "train/loss") == [(3, 1.0)]
    assert not list(remote.records.iterdir())


def _begin_without_server(remote: Store) -> datetime:
    tracker = MlflowTracker(remote, lambda _: None)
    tracker.start(RunDescription("demo", "alone"))
    tracker.log({"train/loss": 1.0}, 3)
    tracker.finish("FAILED")
    return find_run(remote, "alone").started


def _wait_for(there: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not there():
        assert time.monotonic() < ends, "nothing arrived within a minute"
        time.sleep(0.1)


def _experiments(client: Any) -> list[str]:
    return [experiment.experiment_id for experiment in client.search_experiments()]


def _delivered_steps(store: Store, record_id: str) -> list[tuple[int, float]]:
    client = connect(store)
    for run in client.search_runs(_experiments(client), f"tags.`transfer.record` = '{record_id}'"):
        return _steps(client, run.info.run_id, "train/loss")
    return []


def _model(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "network.safetensors").write_text(text)

    return write


def test_a_killed_run_is_continued_on_the_server_which_dies_meanwhile(
    remote: Store, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spool, "_FAILING_SECONDS", 0.5)
    monkeypatch.setattr(spool, "_KILLED_SECONDS", 60)
    monkeypatch.setattr(Store, "checkpoints", lambda _, __: tmp_path)
    record_id = _go_on(MlflowTracker(remote, pytest.fail), range(10), "KILLED")
    sync(remote, Silent())
    first = find_run(remote, record_id)
    assert first.status == "KILLED"
    assert first.run_id != record_id
    assert _fetched_model(remote, record_id, tmp_path / "other machine") == "10"

    tracker = MlflowTracker(remote, lambda _: None)
    tracker.start(RunDescription("demo", "continued"), record_id)
    _log(tracker, range(15))
    server.kill()
    assert tracker.finish("FAILED") == record_id
    server.start()
    _go_on(MlflowTracker(remote, pytest.fail), range(20), "FINISHED", record_id)

    client, last = connect(remote), find_run(remote, record_id)
    assert (last.run_id, last.status) == (first.run_id, "FINISHED")
    assert _steps(client, last.run_id, "train/loss") == [(step, step / 7) for step in range(20)]
    assert fetch(remote, last, "a.txt", tmp_path / "into").read_bytes() == b"20"
    assert (
        len(client.search_logged_models(_experiments(client), f"source_run_id = '{last.run_id}'"))
        == 1
    )
    assert _fetched_model(remote, record_id, tmp_path / "other machine") == "20"
    assert not (remote.records / record_id).exists()


def _go_on(tracker: Tracker, steps: range, status: Status, resume: str | None = None) -> str:
    """Say a run up to a step; a file and its model tell which."""
    run = RunDescription("demo", "continued")
    record_id = tracker.start(run, resume)
    _log(tracker, steps)
    tracker.keep("a.txt", str(steps.stop).encode())
    tracker.keep_model(lambda to: to.joinpath("weights").write_text(str(steps.stop)) and None)
    tracker.finish(status)
    return record_id


def _fetched_model(remote: Store, run: str, elsewhere: Path) -> str:
    """Return the model as a machine without the record gets it, into the cache of this test."""
    other = open_store(elsewhere, remote.uri)
    return (model_folder(other, find_run(other, run)) / "weights").read_text()


PASSWORD = "s3cret p@ss/word"  # noqa: S105  # of a server that lives for seconds


@pytest.fixture
def guarded(template: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that wants a password."""
    (tmp_path / "mlflow.db").write_bytes(template.read_bytes())
    settings = {
        "default_permission": "READ",
        "database_uri": f"sqlite:///{tmp_path}/users.db",
        "admin_username": "admin",
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        "auth_cache_ttl_seconds": "60",  # else it hashes the password for every request
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (tmp_path / "users.ini").write_text("\n".join(["[mlflow]", *lines]))
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(tmp_path / "users.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "any",
    }
    store = open_store(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    server = Server(store, "--app-name", "basic-auth", **environment)
    server.start()
    yield server
    server.kill()


@pytest.mark.skipif(find_spec("flask_wtf") is None, reason="mlflow[auth] is not installed")
def test_a_server_that_wants_a_password_gets_it_and_nobody_else_does(
    guarded: Server,
    model_files: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remote = open_store(tmp_path / "mlruns", f"http://127.0.0.1:{guarded.port}")
    quoted = quote(PASSWORD, safe="")
    monkeypatch.setattr("sys.argv", ["transfer", f"--uri=http://admin:{quoted}@host"])
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(StoreError, match=r"wants a user.*PASSWORD; it refuses 'admin'"):
        list_runs(remote)

    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    tracker = MlflowTracker(remote, pytest.fail)
    tracker.start(RunDescription("demo", "guarded", tags=environment_tags()))
    tracker.keep_model(model_files)
    run_id = tracker.finish("FINISHED")
    run = find_run(remote, "guarded")
    folder = model_folder(remote, run)
    register(remote, run_id, "named", "champion", Parcel(folder, (), ()), {})

    assert list_runs(remote)["name"].tolist() == ["guarded"]
    assert run_of_alias(remote, "champion:named") == run_id
    assert (folder / "network.safetensors").read_bytes() == b"weights"
    assert find_run(remote, "champion:named").run_id == run_id
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert PASSWORD.encode() not in kept
    assert quoted.encode() not in kept
