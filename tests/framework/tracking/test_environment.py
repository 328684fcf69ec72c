import subprocess
import sys
from pathlib import Path

import pytest
import torch

from transfer.tracking.environment import environment_tags


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=e", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_tags_tell_machine_versions_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/transfer", "fit", "my task", "--seed=3"])

    tags = environment_tags()

    assert tags["mlflow.source.name"] == "transfer fit 'my task' --seed=3"
    assert tags["version.torch"] == torch.__version__.partition("+")[0]
    assert tags["version.python"] == ".".join(map(str, sys.version_info[:3]))
    assert int(tags["machine.cores"]) >= 1
    assert int(tags["machine.memory_gb"]) >= 1
    assert tags["machine.processor"]
    assert "mlflow.source.git.commit" not in tags


def test_nothing_names_the_person_or_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/transfer"])
    monkeypatch.setattr("platform.node", lambda: pytest.fail("asked for the machine's name"))

    assert "someone" not in str(environment_tags())


def test_a_password_in_the_command_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    separate, joined = "http://me:secret@host:5000", "--tracking-uri=http://me:secret@host:5000"
    monkeypatch.setattr(sys, "argv", ["transfer", "fit", "--tracking-uri", separate, joined])

    command = environment_tags()["mlflow.source.name"]

    uri = "http://host:5000"
    assert command == f"transfer fit --tracking-uri {uri} --tracking-uri={uri}"


def test_the_commit_says_whether_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _git(tmp_path, "init", "--quiet")
    assert "mlflow.source.git.commit" not in environment_tags()
    (tmp_path / "a").write_text("one")
    _git(tmp_path, "add", "a")
    _git(tmp_path, "commit", "--quiet", "-m", "one")

    clean = environment_tags()
    (tmp_path / "a").write_text("two")
    changed = environment_tags()

    assert clean["mlflow.source.git.commit"] == _git(tmp_path, "rev-parse", "HEAD")
    assert clean["mlflow.source.git.dirty"] == "false"
    assert changed["mlflow.source.git.dirty"] == "true"
