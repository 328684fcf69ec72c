"""Runs that do not end as planned: interrupted, diverged, on a full disk, or not to be seen."""

import errno
import shlex
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transfer.errors import DataNotFoundError, RunNotFoundError

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

# A process that a script started in the background is told to ignore Ctrl-C, and its children too.
HEEDING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from transfer.cli.app import main
main()
"""


@dataclass(frozen=True)
class Interrupted:
    """A `transfer fit` process that met Ctrl-C: its run's name, exit code and messages."""

    name: str
    code: int
    out: str
    err: str


@pytest.fixture
def interrupted(first: Any, start_python: Callable[..., Any]) -> Interrupted:
    """Start a long run and interrupt it when its first epoch is over."""
    name = "broken off é"
    process = start_python(
        HEEDING, "fit", first.task, "--data", first.data, "--weights", "starter",
        "--epochs", "1000", "--name", name, "--out", first.out,
    )  # fmt: skip
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith("epoch 1/1000"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    return Interrupted(name, process.returncode, "".join(seen) + out, err)


def test_ctrl_c_keeps_the_best_weights_and_says_how_to_go_on(
    first: Any, interrupted: Interrupted, kept: Callable[[str], Any], command_line: Command
) -> None:
    assert interrupted.code == 130
    assert "Traceback" not in interrupted.err
    assert "killed     interrupted: in epoch " in interrupted.err
    assert "val        balanced_accuracy" in interrupted.out
    assert "test       " not in interrupted.out
    run = kept(interrupted.name).run
    assert run.status == "KILLED"
    assert "val/accuracy" in run.metrics
    assert not [name for name in run.metrics if name.startswith("test/")]
    assert (kept(interrupted.name).model / "network.safetensors").is_file()

    into = ("--out", str(first.out))
    (advice,) = [line.strip() for line in interrupted.err.splitlines() if "transfer resume" in line]
    assert shlex.split(advice) == ["transfer", "resume", interrupted.name, *into]
    went_on = command_line(
        "fit", first.task, "--data", first.data, "--weights", interrupted.name,
        "--strategy", "probe", "--name", "went on", *into,
    )  # fmt: skip
    assert went_on.code == 0
    assert kept("went on").run.tags["transfer.weights"] == f"run {interrupted.name}"


def fit(first: Any, name: str, *options: object) -> list[object]:
    """Return the words of a command that fits the first run's data again."""
    return [
        "fit", first.task, "--data", first.data, "--weights", "starter", "--name", name,
        "--out", first.out, "--epochs", 2, "--batch-size", 24, *options,
    ]  # fmt: skip


def test_a_diverged_run_fails_with_the_place_and_keeps_the_last_good_weights(
    first: Any, kept: Callable[[str], Any], command_line: Command
) -> None:
    typed = command_line(*fit(first, "diverged", "--lr", 1e30))
    assert typed.code == 2
    assert "failed     diverged: the loss became nan in epoch 1, step 2 of " in typed.err
    assert "take a smaller --lr than 1e+30" in typed.err
    assert "weights of the probe" in typed.out
    assert kept("diverged").run.status == "FAILED"
    said = kept("diverged").table("predictions.parquet")
    assert set(said["split"]) == {"val"}
    again = command_line("predict", "diverged", first.data, "--store", first.out)
    assert again.code == 0
    assert "nan" not in again.out


def test_a_run_that_diverges_before_it_has_weights_is_an_error_and_keeps_none(
    first: Any, kept: Callable[[str], Any], command_line: Command
) -> None:
    options = ("--lr", 1e30, "--strategy", "finetune")
    typed = command_line(*fit(first, "diverged at once", *options))
    assert typed.code == 2
    assert "error      the loss became nan in epoch 1, step 2 of " in typed.err
    assert kept("diverged at once").run.status == "FAILED"
    with pytest.raises(RunNotFoundError, match="kept no model"):
        kept("diverged at once").model.is_dir()


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Let the disk be full for every larger file of a record; list those that were begun."""
    begun: list[Path] = []
    write = Path.write_bytes

    def fill(path: Path, content: bytes) -> int:
        if path.name != "incoming" or len(content) < 4000:
            return write(path, content)
        begun.append(path)
        write(path, content[:1000])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fill)
    yield begun
    assert begun


def test_a_full_disk_costs_files_of_the_record_and_not_the_run(
    first: Any, kept: Callable[[str], Any], command_line: Command, full_disk: list[Path]
) -> None:
    typed = command_line(*fit(first, "full disk", "--strategy", "probe"))
    assert typed.code == 0
    notes = [line for line in typed.err.splitlines() if "not recorded" in line]
    assert len(notes) == 1
    assert "No space left on device" in notes[0]
    run = kept("full disk")
    assert run.run.status == "FINISHED"
    assert "test/accuracy" in run.run.metrics
    assert run.file("recipe.json").stat().st_size < 4000
    with pytest.raises(DataNotFoundError):
        run.file("figures/views.png")
    assert not [path for path in full_disk if path.exists()]


_STRANGER = """
from dataclasses import replace
from transfer import load_task

TASK = replace(load_task("labelled_images"), name="secret_pictures", sensitive=True)
"""


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Install a stranger's package with the task `secret_pictures`."""
    packages = tmp_path / "packages"
    about = packages / "secret_package-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: secret-package\nVersion: 1.0\n")
    entry = "[transfer.tasks]\nsecret_pictures = secret_package:TASK\n"
    (about / "entry_points.txt").write_text(entry)
    (packages / "secret_package.py").write_text(_STRANGER)
    monkeypatch.syspath_prepend(packages)


@pytest.mark.usefixtures("_installed")
def test_a_sensitive_task_keeps_its_pictures_and_their_names_to_itself(
    first: Any,
    kept: Callable[[str], Any],
    command_line: Command,
    class_folders: Callable[..., Path],
) -> None:
    assert ["secret_pictures", "secret-package", "1.0"] in [
        line.split() for line in command_line("tasks").out.splitlines()
    ]
    data = class_folders({"ill": 24, "well": 24})
    (data / "ill" / "Mrs Jones.png").write_bytes(b"")
    options = (
        "fit", "secret_pictures", "--data", data, "--weights", "starter", "--strategy", "probe",
        "--out", first.out,
    )  # fmt: skip
    assert command_line(*options, "--name", "unseen").code == 0
    assert "Mrs Jones" in command_line(*options, "--name", "seen", "--log-images").err
    for path in ("figures/views.png", "data/left_out.csv"):
        with pytest.raises(DataNotFoundError):
            kept("unseen").file(path)
        assert kept("seen").file(path).is_file()
    unseen = kept("unseen")
    assert "ill 0.png" not in pd.read_parquet(unseen.file("predictions.parquet")).to_csv()
    assert "Mrs Jones" not in str([*unseen.run.tags.values(), *unseen.run.params.values()])
