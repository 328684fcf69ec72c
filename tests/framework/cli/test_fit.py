"""`transfer fit`, `transfer recipe` and `transfer demo`: what is asked for and what is said."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transfer.experiment import RunResult
from transfer.overlay import read_layer, settle
from transfer.plugin.discovery import load_task
from transfer.repeats import Repeated
from transfer.start import Request

Command = Callable[..., Any]

RESULT = {
    "run_id": "0123456789abcdef", "name": "my run", "task": "demo", "status": "FINISHED",
    "ended": "completed", "digest": "0", "epoch": 3, "test": {"accuracy": 0.75},
    "val": {"balanced_accuracy": 0.8, "balanced_accuracy_low": 0.7, "balanced_accuracy_high": 0.9},
}  # fmt: skip


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Request]]:
    """Train nothing: every request ends as the result above, with these changes."""

    def end_as(**changes: object) -> list[Request]:
        requests: list[Request] = []

        def carry_out(request: Request, _: object) -> RunResult:
            requests.append(request)
            return RunResult(**{**RESULT, **changes})

        monkeypatch.setattr("transfer.start.carry_out", carry_out)
        return requests

    return end_as


def test_every_option_reaches_the_run(
    command_line: Command, carried_out: Callable[..., list[Request]]
) -> None:
    requests = carried_out()
    typed = command_line(
        *shlex.split(
            "fit demo --data 'some/folder é' --backbone resnet34 --weights none --strategy probe "
            "--epochs 3 --size 96 --batch-size 7 --lr 0.5 --seed 4 --name mine --recipe own.toml "
            "--set split.test=0.2 --set split.seed=5 --set task.flip=false --split before "
            "--out runs --tracking-uri http://localhost:5000 --log-images"
        )
    )
    assert typed.code == 0
    assert requests == [
        Request(
            task="demo",
            data=Path("some/folder é"),
            everyday={
                "backbone": "resnet34", "weights": "none", "strategy": "probe", "epochs": 3,
                "size": 96, "batch_size": 7, "lr": "0.5", "seed": 4,
            },
            recipe=Path("own.toml"),
            settings={"split": {"test": 0.2, "seed": 5}, "task": {"flip": False}},
            name="mine",
            split="before",
            out=Path("runs"),
            tracking_uri="http://localhost:5000",
            log_images=True,
        )
    ]  # fmt: skip


def test_what_is_not_given_is_left_to_the_recipe(
    command_line: Command, carried_out: Callable[..., list[Request]]
) -> None:
    requests = carried_out()
    command_line("fit", "labelled_images", "--data", "folder")
    (request,) = requests
    assert set(request.everyday.values()) == {None}
    task = load_task("labelled_images")
    assert settle(task.defaults(), request.layers()).recipe == task.defaults()


def test_a_finished_run_says_its_scores_where_it_is_and_what_to_type_next(
    command_line: Command, carried_out: Callable[..., list[Request]]
) -> None:
    carried_out()
    typed = command_line("fit", "demo", "--data", "folder", "--out", "my runs")
    assert typed.code == 0
    assert "val        balanced_accuracy 0.800 [0.700, 0.900]\n" in typed.out
    assert "test       accuracy 0.750\n" in typed.out
    assert "run        my run (0123456789abcdef) in my runs, weights of epoch 3" in typed.out
    for line in (
        "transfer ui --store 'my runs'",
        "transfer predict 'my run' PICTURE --store 'my runs'",
        "transfer fit demo --data YOUR/FOLDER --out 'my runs'",
    ):
        assert line in typed.out


@pytest.mark.parametrize(
    ("status", "ended", "code", "on"),
    [
        ("KILLED", "interrupted: in epoch 2", 130, "transfer resume 'my run'"),
        ("KILLED", "terminated: in epoch 2", 143, "transfer resume 'my run'"),
        ("FAILED", "diverged: there", 2, "transfer fit demo --data YOUR/FOLDER --weights 'my run'"),
    ],
)
def test_a_run_that_was_broken_off_says_how_to_go_on(
    command_line: Command,
    carried_out: Callable[..., list[Request]],
    status: str,
    ended: str,
    code: int,
    on: str,
) -> None:
    carried_out(status=status, ended=ended, test={}, epoch=0)
    typed = command_line("fit", "demo", "--data", "a folder")
    assert typed.code == code
    assert f"{status.lower():<10} {ended}\n" in typed.err
    assert f"           {on}" in typed.err
    assert "weights of the probe" in typed.out
    assert "next" not in typed.out


@pytest.mark.usefixtures("own_caches")
def test_a_dry_run_trains_nothing(
    command_line: Command,
    carried_out: Callable[..., list[Request]],
    class_folders: Callable[..., Path],
    tmp_path: Path,
) -> None:
    requests = carried_out()
    data = class_folders({"cat": 3, "dog": 3})
    typed = command_line(
        "fit", "labelled_images", "--data", data, "--weights", "starter", "--out",
        tmp_path / "runs", "--dry-run",
    )  # fmt: skip
    assert typed.code == 0
    assert "would      lp-ft resnet10t (weights: starter)" in typed.out
    assert "nothing was trained or written" in typed.out
    assert requests == []
    assert not (tmp_path / "runs").exists()


def test_a_printed_recipe_is_a_file_that_gives_the_same_recipe(
    command_line: Command, tmp_path: Path
) -> None:
    typed = command_line("recipe", "labelled_images", "--set", "task.crop=0.9", "--set", "lr=0.1")
    assert typed.code == 0
    file = tmp_path / "printed.toml"
    file.write_text(typed.out)
    defaults = load_task("labelled_images").defaults()
    task = defaults.task.model_copy(update={"crop": 0.9})
    expected = defaults.with_task(task).model_copy(update={"lr": 0.1})
    assert settle(defaults, [read_layer(file)]).recipe == expected
    assert "lr = 0.1  # --set\n" in typed.out
    assert "task.crop = 0.9  # --set\n" in typed.out
    assert "task.flip = true  # task\n" in typed.out
    assert "seed = 0  # default\n" in typed.out


@pytest.mark.parametrize("rate", ["auto", 0.1, None])
def test_a_printed_recipe_holds_words_and_numbers(
    command_line: Command, tmp_path: Path, rate: str | float | None
) -> None:
    training = {"schedule": "one-cycle", "mixup": 0.2, "accumulate": 4, "weight_decay": 0.01}
    typed = [f"training.{name}={value}" for name, value in training.items()]
    typed += [] if rate is None else [f"lr={rate}"]
    options = [part for assignment in typed for part in ("--set", assignment)]
    file = tmp_path / "printed.toml"
    file.write_text(command_line("recipe", "labelled_images", *options).out)
    recipe = settle(load_task("labelled_images").defaults(), [read_layer(file)]).recipe
    assert recipe.lr == rate
    assert {name: getattr(recipe.training, name) for name in training} == training


def test_a_recipe_file_is_laid_over_the_task_s(command_line: Command, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text("[training]\npatience = 3\n")
    typed = command_line("recipe", "labelled_images", "--recipe", tmp_path / "own.toml")
    assert "training.patience = 3  # own.toml\n" in typed.out


def test_the_demo_draws_its_samples_once(
    command_line: Command,
    carried_out: Callable[..., list[Request]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    requests = carried_out()
    first = command_line("demo", "labelled_images", "--count", 40, "--epochs", 1, "--seed", 2)
    again = command_line("demo", "labelled_images", "--count", 40, "--strategy", "scratch")
    assert (first.code, again.code) == (0, 0)
    folder = Path("data/labelled_images/demo-40")
    assert len(list(folder.glob("*/*"))) == 40
    assert f"samples    40 drawn pictures in {folder}" in first.out
    assert "samples" not in again.out
    assert [request.data for request in requests] == [folder, folder]
    assert requests[0].everyday == {
        "weights": "starter", "strategy": None, "epochs": 1, "size": 64, "seed": 2,
    }  # fmt: skip
    assert requests[1].everyday["weights"] is None
    assert "took       " in first.out
    command_line("demo", "satellite_vegetation", "--count", 40)
    assert requests[2].everyday["size"] is None  # its recipe names one


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Train nothing: requests for several runs end as two folds of the result above."""
    requests: list[Request] = []

    def repeat(request: Request, _: object) -> Repeated:
        requests.append(request)
        part = RunResult(**RESULT)
        scores = {"accuracy": 0.7, "accuracy_low": 0.6, "accuracy_high": 0.8}
        return Repeated(
            "0123", "both", "FINISHED", "completed", scores, pd.DataFrame(), (part, part)
        )

    monkeypatch.setattr("transfer.start.repeat", repeat)
    return requests


def test_folds_say_each_run_and_the_pooled_score(
    command_line: Command, repeated: list[Request]
) -> None:
    typed = command_line(
        "fit",
        "demo",
        "--data",
        "folder",
        "--folds",
        5,
        "--views",
        2,
        "--deterministic",
        "--cache-limit",
        3,
    )
    assert typed.code == 0
    (request,) = repeated
    assert (request.folds, request.fractions) == (5, ())
    assert request.settings == {
        "probe": {"views": 2},
        "machine": {"deterministic": True, "pixels_gb": 3},
    }
    assert typed.out.count("my run  accuracy 0.750\n") == 2
    assert "pooled     accuracy 0.700 [0.600, 0.800]\n" in typed.out
    assert "2 runs below it; the test rows were not looked at" in typed.out


def test_fractions_are_numbers_with_commas_between(
    command_line: Command, repeated: list[Request]
) -> None:
    assert command_line("fit", "demo", "--data", "x", "--fractions", "0.1, 0.3,1").code == 0
    assert repeated[0].fractions == (0.1, 0.3, 1.0)
    typed = command_line("fit", "demo", "--data", "x", "--fractions", "ten")
    assert typed.code == 2
    assert "--fractions 'ten': write numbers with commas between" in typed.err


@pytest.mark.usefixtures("own_caches")
def test_a_dry_run_of_folds_says_their_sizes(
    command_line: Command, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data = class_folders({"cat": 10, "dog": 10})
    typed = command_line(
        "fit", "labelled_images", "--data", data, "--weights", "starter", "--out",
        tmp_path / "runs", "--dry-run", "--folds", 2,
    )  # fmt: skip
    assert typed.code == 0
    sizes = re.findall(r"-fold\d: train (\d+), val (\d+), test (\d+)\n", typed.out)
    in_all = [sum(map(int, fold)) for fold in sizes]
    assert in_all == [sum(int(test) for *_, test in sizes)] * 2  # each row is judged once
    assert not (tmp_path / "runs").exists()
