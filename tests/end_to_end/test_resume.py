"""A run that is killed, told to end or interrupted, and then continued, is the run that was not."""

import hashlib
import json
import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import transfer
from transfer.progress import Silent
from transfer.start import Request, repeat
from transfer.tracking.runs import find_run
from transfer.tracking.store import connect
from transfer.tracking.stored_runs import search

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
MIDDLE = 8
"""The checkpoint behind the fourth of six steps, in the middle of the second epoch."""

# The process meets the signal at a moment that no waiting from outside could hit: when the
# checkpoint MIDDLE is written, and before the next step.
_SIGNALLED = """
import os
import sys
from transfer.cli.app import main
from transfer.finetuning.checkpoint import Checkpoints

number, moments = int(sys.argv.pop(1)), [int(sys.argv.pop(1))]
save = Checkpoints.save

def save_and_signal(checkpoints, state, step):
    save(checkpoints, state, step)
    if step in moments:
        moments.clear()
        print("signalled", flush=True)
        os.kill(os.getpid(), number)

Checkpoints.save = save_and_signal
main()
"""


@dataclass(frozen=True)
class BrokenOff:
    """A `transfer fit` process that met a signal, and the seconds that it then took to end."""

    code: int
    out: str
    err: str
    seconds: float


@pytest.fixture
def broken_off(
    first: Any, kept: Callable[[str], Any], start_python: Callable[..., Any]
) -> Callable[..., BrokenOff]:
    """Start the first run again, under another name, and send it a signal in the middle."""

    def start(name: str, number: signal.Signals) -> BrokenOff:
        process = start_python(
            _SIGNALLED, int(number), MIDDLE,
            "fit", first.task, "--data", first.data, "--recipe",
            kept(first.name).file("recipe.json"), "--set", "machine.checkpoint_minutes=1e-6",
            "--name", name, "--out", first.out,
        )  # fmt: skip
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line == "signalled\n":
                break
        began = time.monotonic()
        out, err = process.communicate()
        return BrokenOff(process.returncode, "".join(seen) + out, err, time.monotonic() - began)

    return start


def numbers(kept: Any) -> dict[str, dict[int, float]]:
    """Return every number of a run by step, but speed and the state of the machine.

    No number has a step twice.
    """
    client, found = connect(kept.store), {}
    for name in kept.run.metrics:
        if not name.startswith(("system/", "train/images_per_second")):
            history = client.get_metric_history(kept.run.run_id, name)
            found[name] = {number.step: number.value for number in history}
            assert len(found[name]) == len(history), name
    return found


def weights_digest(kept: Any) -> str:
    return hashlib.sha256((kept.model / "network.safetensors").read_bytes()).hexdigest()


def test_a_killed_run_goes_on_to_the_same_bits(
    first: Any,
    kept: Callable[[str], Any],
    broken_off: Callable[..., BrokenOff],
    command_line: Command,
) -> None:
    killed = broken_off("killed é", signal.SIGKILL)
    assert killed.code == -signal.SIGKILL
    left = kept("killed é")
    assert left.run.status == "KILLED"
    checkpoints = left.store.checkpoints(left.run.record_id)
    assert [file.stem[:9] for file in checkpoints.glob("*.pt")] == [f"{MIDDLE:09d}"]

    typed = command_line("resume", "killed é", "--out", first.out)
    assert typed.code == 0
    assert "run        killed é (" in typed.out
    again, reference = kept("killed é"), kept(first.name)
    assert again.run.status == "FINISHED"
    assert weights_digest(again) == weights_digest(reference)
    assert numbers(again) == numbers(reference)
    assert {1, 2} <= numbers(again)["train/loss"].keys()
    assert len(search(first.store, 'attributes.run_name = "killed é"')) == 1
    assert not checkpoints.exists()


def test_a_run_that_is_told_to_end_does_so_soon_says_how_to_go_on_and_does(
    first: Any,
    kept: Callable[[str], Any],
    broken_off: Callable[..., BrokenOff],
    command_line: Command,
) -> None:
    ended = broken_off("told to end é", signal.SIGTERM)
    assert ended.code == 143
    assert ended.seconds < 10
    assert "Traceback" not in ended.err
    assert "killed     terminated: in epoch 2 of 2" in ended.err
    left = kept("told to end é")
    assert left.run.status == "KILLED"
    assert not [name for name in left.run.metrics if name.startswith(("val/", "test/"))]

    (advice,) = [line.strip() for line in ended.err.splitlines() if "transfer resume" in line]
    assert command_line(*shlex.split(advice)[1:]).code == 0
    again, reference = kept("told to end é"), kept(first.name)
    assert again.run.status == "FINISHED"
    assert again.run.run_id == left.run.run_id
    assert weights_digest(again) == weights_digest(reference)
    assert numbers(again) == numbers(reference)
    assert not left.store.checkpoints(left.run.record_id).exists()


class Interrupting(Silent):
    """A Progress that Ctrl-C meets when the first epoch is told."""

    def say(self, line: str) -> None:
        if line.startswith("epoch 1/2"):
            signal.raise_signal(signal.SIGINT)


def test_a_run_that_met_ctrl_c_goes_on_to_the_same_bits(
    first: Any, kept: Callable[[str], Any]
) -> None:
    again = {"data": first.data, "recipe": kept(first.name).file("recipe.json")}
    ended = transfer.fit(first.task, **again, name="met Ctrl-C", out=first.out,
                         progress=Interrupting())  # fmt: skip
    assert (ended.status, ended.ended) == ("KILLED", "interrupted: in epoch 2 of 2")
    result = transfer.resume("met Ctrl-C", out=first.out)
    assert (result.status, result.run_id) == ("FINISHED", ended.run_id)
    assert (result.val, result.test) == (first.result.val, first.result.test)
    assert weights_digest(kept("met Ctrl-C")) == weights_digest(kept(first.name))
    assert numbers(kept("met Ctrl-C")) == numbers(kept(first.name))


@dataclass(frozen=True)
class Unfinished:
    """A run that was interrupted behind its first epoch."""

    name: str
    data: Path
    folder: Path


SETTINGS = {"backbone": "test_resnet", "weights": "none", "strategy": "finetune", "epochs": 2,
            "size": 32, "batch_size": 8}  # fmt: skip


@pytest.fixture
def unfinished(first: Any, class_folders: Callable[..., Path]) -> Unfinished:
    data = class_folders({"cat": 12, "dog": 12})
    result = transfer.fit(
        "labelled_images",
        data,
        settings=SETTINGS,
        name=f"unfinished {uuid4().hex[:8]}",
        out=first.out,
        progress=Interrupting(),
    )
    assert result.status == "KILLED"
    record = find_run(first.store, result.name).record_id
    return Unfinished(result.name, data, first.store.checkpoints(record))


@pytest.fixture
def refused(first: Any, command_line: Command) -> Callable[[str], str]:
    """Ask for a run to go on, which is refused; return the message."""

    def resume(name: str) -> str:
        typed = command_line("resume", name, "--out", first.out)
        assert typed.code == 2, typed
        return str(typed.err.rpartition("error      ")[2])

    return resume


def test_files_that_came_are_refused_until_they_are_gone(
    first: Any,
    unfinished: Unfinished,
    refused: Callable[[str], str],
    command_line: Command,
    kept: Callable[[str], Any],
) -> None:
    new = unfinished.data / "cat" / "new.png"
    noise = np.random.default_rng(9).integers(0, 255, (40, 48, 3), dtype=np.uint8)
    Image.fromarray(noise).save(new)
    said = refused(unfinished.name)
    assert (
        f"the data in {str(unfinished.data)!r} are not those that run {unfinished.name!r}" in said
    )
    assert "began with: 1 row(s) are new, 0 are gone" in said
    assert kept(unfinished.name).run.status == "KILLED"

    new.unlink()
    assert command_line("resume", unfinished.name, "--out", first.out).code == 0
    assert kept(unfinished.name).run.status == "FINISHED"


def test_a_label_that_changed_is_refused(
    unfinished: Unfinished, refused: Callable[[str], str]
) -> None:
    picture = unfinished.data / "cat" / "cat 3.png"
    picture.rename(unfinished.data / "dog" / picture.name)
    said = refused(unfinished.name)
    assert "0 row(s) are new, 0 are gone, and of the others a label, a group or a split" in said
    assert "Put them back, or start anew with --weights" in said


def test_a_damaged_checkpoint_is_refused(
    unfinished: Unfinished, refused: Callable[[str], str]
) -> None:
    (file,) = unfinished.folder.glob("*.pt")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    said = refused(unfinished.name)
    assert f"the checkpoint {str(file)!r} is damaged: its bytes are not those" in said
    assert file.exists()


def test_a_recipe_of_another_version_is_refused(
    unfinished: Unfinished, refused: Callable[[str], str]
) -> None:
    path = unfinished.folder / "run.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    del card["recipe"]["training"]["clip_norm"]
    card["recipe"]["training"]["momentum"] = 0.9
    path.write_text(json.dumps(card), encoding="utf-8")
    said = refused(unfinished.name)
    assert f"run {unfinished.name!r} was made by version {card['version']}, whose recipe" in said
    assert "has ['training.momentum'] more and lacks ['training.clip_norm']" in said


def test_a_part_of_a_cross_validation_is_refused(
    first: Any, class_folders: Callable[..., Path], refused: Callable[[str], str]
) -> None:
    request = Request(
        "labelled_images",
        class_folders({"cat": 12, "dog": 12}),
        {},
        settings=SETTINGS,
        name="unfinished folds",
        out=first.out,
        folds=2,
    )
    result = repeat(request, Interrupting())
    assert (result.status, len(result.parts)) == ("KILLED", 1)
    (part,) = result.parts
    record = find_run(first.store, part.name).record_id
    assert not first.store.checkpoints(record).exists()
    for name in (part.name, result.name):
        said = refused(name)
        assert f"run {name!r} is one of several that are judged together, or their parent" in said
        assert "start all of them again with --folds or --fractions" in said


def test_a_finished_run_and_an_unknown_one_are_refused(
    first: Any, refused: Callable[[str], str]
) -> None:
    said = refused(first.name)
    assert f"run {first.name!r} is FINISHED and has no checkpoint in " in said
    assert f"transfer fit ... --weights {first.name}" in said
    assert refused("frist é run").startswith("no run 'frist é run' in ")
