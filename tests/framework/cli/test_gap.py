"""`transfer gap`: what is asked for and what is said."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transfer.experiment import RunResult
from transfer.gap import Gap
from transfer.repeats import Repeated
from transfer.start import Request

Command = Callable[..., Any]


def part(name: str, value: float) -> RunResult:
    val = {"kappa": value, "kappa_low": value - 0.05, "kappa_high": value + 0.05}
    return RunResult("0", name, "demo", "FINISHED", "completed", "0", 0, val, {})


def test_a_gap_is_said_in_words_above_the_runs_it_comes_from(
    command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Request] = []
    parts = part("mine-groups-whole", 0.8), part("mine-groups-ignored", 0.9)
    table = pd.DataFrame()
    both = Repeated("0123", "mine", "FINISHED", "completed", {}, table, parts, ("kappa",))

    def gap(request: Request, _: object) -> Gap:
        asked.append(request)
        return Gap("kappa", 1234, 56, both, 0.1, 0.03, 0.17)

    monkeypatch.setattr("transfer.start.gap", gap)
    typed = command_line(
        *shlex.split(
            "gap demo --data 'some/folder é' --backbone resnet34 --weights none --size 96 "
            "--name mine --recipe own.toml --set split.seed=5 --out runs"
        )
    )
    assert typed.code == 0
    assert asked == [
        Request(
            task="demo",
            data=Path("some/folder é"),
            everyday={"backbone": "resnet34", "weights": "none", "size": 96},
            recipe=Path("own.toml"),
            settings={"split": {"seed": 5}},
            name="mine",
            out=Path("runs"),
        )
    ]
    asked_for = gap(asked[0], None)
    assert typed.out.splitlines() == [
        f"gap        {asked_for.words()}",
        "           by probes on 1,234 rows in 56 groups, judged on val",
        "mine-groups-whole  kappa 0.800 [0.750, 0.850]",
        "mine-groups-ignored  kappa 0.900 [0.850, 0.950]",
        "run        mine (0123), 2 runs below it; the test rows were not looked at",
        "next       transfer ui --store runs",
    ]
