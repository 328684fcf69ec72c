"""`transfer sweep`: what is asked for and what is said."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer.start import Request
from transfer.sweeping.result import Conclusion, Objective, Repeat, Sweep, Trial
from transfer.sweeping.sweep import Wishes

Command = Callable[..., Any]
TRIALS = (
    Trial(0, "complete", {"lr": 0.00123}, (0.7,), "s-trial0", "a"),
    Trial(1, "complete", {"lr": 0.002}, (0.9,), "s-trial1", "b"),
    Trial(2, "stopped", {"lr": 0.05}, (0.2,), "s-trial2", "c", "stopped after epoch 1"),
)
CHOSEN = Conclusion(
    1, (Repeat(1, (0.9, 0.8), 0.85),), "s-chosen", "d", {"kappa": 0.9}, {"kappa": 0.77}
)
FOUND = Sweep(
    "s", "sqlite:///sweeps.db", "demo", (Objective("kappa"),), {"lr": "0.001 to 0.1, log"}, TRIALS,
    importance={"lr": 1.0}, conclusion=CHOSEN, notes=("val chose",), shown=("kappa",), seconds=30,
    name="s", run_id="01",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    asked: list[Any] = [FOUND]

    def sweep(request: Request, space: Path, **rest: Any) -> Sweep:
        asked.append((request, space, rest))
        found: Sweep = asked[0]
        return found

    monkeypatch.setattr("transfer.sweeping.start.sweep", sweep)
    return asked


def test_a_sweep_is_told_by_its_best_trials_and_its_conclusion(
    command_line: Command, asked: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    typed = command_line(
        *("sweep", "demo", "--data", "d", "--space", "space.toml", "--trials", "7", "--seeds", "2"),
        *("--objectives", "kappa,macs", "--budget", "2h", "--storage", "postgresql://x", "--json"),
        *(file, "--name", "s", "--out", "runs"),
    )
    assert typed.code == 0
    request, space, rest = asked[1]
    assert (request.name, space) == ("s", Path("space.toml"))
    assert rest["wishes"] == Wishes(7, 2, 7200)
    assert rest["objectives"] == ["kappa", "macs"]
    assert rest["storage"] == "postgresql://x"
    lines = typed.out.splitlines()
    assert [line.split() for line in lines if line[:1].isdigit()] == [
        ["1", "0.9", "0.002", "chosen"], ["0", "0.7", "0.00123", "complete"],
    ]  # fmt: skip
    for line in (
        "trials     2 complete, 1 stopped; the best 2 are shown",
        "repeated   trial 1: kappa 0.9000, 0.8000 on 2 seeds, mean 0.8500",
        "chosen     trial 1: lr 0.002", "test       kappa 0.770", "mattered   lr 1.00",
        "next       transfer predict s-chosen PICTURE --store runs",
    ):  # fmt: skip
        assert line in lines
    assert json.loads(file.read_text())["trials"][2]["state"] == "stopped"


def test_where_nothing_was_chosen_the_exit_code_says_so(
    command_line: Command, asked: list[Any]
) -> None:
    arguments = ("sweep", "demo", "--data", "d", "--space", "space.toml")
    asked[0] = replace(FOUND, conclusion=None)
    assert command_line(*arguments).code == 2
    asked[0] = replace(FOUND, conclusion=None, ended="interrupted")
    typed = command_line(*arguments)
    assert (typed.code, "stopped    interrupted" in typed.out) == (130, True)


def test_what_is_left_to_others_is_no_failure_and_is_said(
    command_line: Command, asked: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transfer.sweeping.page.as_page", lambda found: f"page of {found.study}")
    asked[0] = replace(FOUND, conclusion=None, others=2)
    page = tmp_path / "found.html"
    typed = command_line(
        *("sweep", "demo", "--data", "d", "--space", "space.toml", "--html", page),
    )
    assert typed.code == 0
    assert "left       to 2 still at work on it; the last of them concludes" in typed.out
    assert page.read_text() == "page of s"


def test_a_space_that_is_none_is_refused_before_anything_is_read(
    command_line: Command, tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text("backbonne = ['resnet18']")
    typed = command_line(
        *("sweep", "labelled_images", "--data", "nowhere", "--space", tmp_path / "space.toml"),
        *("--out", tmp_path / "runs"),
    )
    assert (typed.code, "did you mean backbone?" in typed.err) == (2, True)
    assert not (tmp_path / "runs").exists()
