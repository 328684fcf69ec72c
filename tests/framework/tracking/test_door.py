import os
import subprocess
import sys
from pathlib import Path

import pytest

import transfer.tracking
from transfer.errors import StoreError
from transfer.tracking.door import answering, mlflow_module, silence, without_password


def test_importing_the_room_imports_neither_mlflow_nor_torch_nor_pandas() -> None:
    room = Path(transfer.tracking.__file__).parent
    modules = [f"transfer.tracking.{path.stem}" for path in sorted(room.glob("[a-z]*.py"))]
    code = f"import sys, {', '.join(modules)}"
    code += "; print(*{'mlflow', 'torch', 'pandas'}.intersection(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_the_user_has_the_last_word_on_mlflows_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)

    silence()

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "false"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"


def test_the_reason_at_the_bottom_is_told_in_one_line() -> None:
    exceptions = mlflow_module("mlflow.exceptions")

    def fail() -> None:
        try:
            raise ConnectionRefusedError(111, "Connection refused")
        except OSError as error:
            raise exceptions.MlflowException("pages\nof text") from error

    with pytest.raises(StoreError) as told, answering("http://host"):
        fail()

    assert str(told.value).endswith("http://host gives no answer: [Errno 111] Connection refused")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://me:secret@host:5000/path", "http://host:5000/path"),
        ("http://me:s@cr@t@host", "http://host"),
        ("postgresql+psycopg2://me:sec/ret@host/runs", "postgresql+psycopg2://host/runs"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("http://host/a@b", "http://host/a@b"),
        ("--uri=http://me@host or http://you:x@host", "--uri=http://host or http://host"),
    ],
)
def test_whoever_may_use_an_address_is_not_in_it(uri: str, shown: str) -> None:
    assert without_password(uri) == shown


@pytest.mark.parametrize(
    ("user", "said"), [("me", "it refuses 'me' with"), ("", "they are not set")]
)
def test_a_wrong_password_is_one_line_that_says_where_the_right_one_goes(
    monkeypatch: pytest.MonkeyPatch, user: str, said: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    exceptions, codes = map(mlflow_module, ("mlflow.exceptions", "mlflow.protos.databricks_pb2"))

    with pytest.raises(StoreError) as told, answering("http://host"):
        raise exceptions.MlflowException("You are not\nauthenticated", codes.UNAUTHENTICATED)

    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in str(told.value)
    assert said in str(told.value)
    assert "secret" not in str(told.value)


def test_a_fork_waits_until_an_import_is_done(tmp_path: Path) -> None:
    (tmp_path / "slow_module.py").write_text("import signals; signals.wait()")
    (tmp_path / "signals.py").write_text(
        "import threading\n"
        "importing, never, imported = threading.Event(), threading.Event(), []\n"
        "def wait():\n"
        "    importing.set()\n"
        "    never.wait(0.2)\n"
        "    imported.append('slow_module')\n"
    )
    code = """
import os, sys, threading
import signals
from transfer.tracking.door import mlflow_module

threading.Thread(target=mlflow_module, args=["slow_module"]).start()
signals.importing.wait()
child = os.fork()
if child == 0:
    import slow_module  # its lock is free again
    os._exit(0 if signals.imported else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        timeout=20,
        env=os.environ | {"PYTHONPATH": paths},
    )

    assert done.returncode == 0
