"""`transfer ladder`: what is asked for and what is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.laddering.attempts import Wishes
from transfer.laddering.choosing import Limits
from transfer.laddering.footprint import Footprint
from transfer.laddering.result import Climbed, Ladder, Tried
from transfer.laddering.rungs import LADDER, Rung
from transfer.start import Request

Command = Callable[..., Any]
SMALL = Climbed(
    Rung("resnet18", "resnet18.tv_in1k", "hub", "tv_in1k"),
    Footprint(11_180_000, 1_800_000_000, 4.25, 98.7, 812, 65, 1400),
    (Tried("probe", "p", "l-probe", 0.8, 0.75, 0.85), Tried("lp-ft", "f", "l-ft", 0.9, 0.86, 0.94)),
    ("no more",),
)
ABSENT = Climbed(Rung("resnet34", "resnet34.tv_in1k", "hub", missing="no weights of it here"))
FOUND = Ladder(
    "demo", "kappa", 96, {"train": 5, "val": 4}, "a machine", (SMALL, ABSENT), "take resnet18",
    "resnet18", "against nobody", {"kappa": 0.88, "kappa_low": 0.8, "kappa_high": 0.95},
    notes=("val chose",), notice="be careful", shown=("kappa",), seconds=95, name="l", run_id="01",
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Request, dict[str, Any]]]:
    asked: list[tuple[Request, dict[str, Any]]] = []

    def ladder(request: Request, **rest: Any) -> Ladder:
        asked.append((request, rest))
        return FOUND

    monkeypatch.setattr("transfer.laddering.start.ladder", ladder)
    return asked


def test_a_ladder_is_told_rung_by_rung_and_in_words(
    command_line: Command, asked: list[tuple[Request, dict[str, Any]]], tmp_path: Path
) -> None:
    file = tmp_path / "found.json"
    typed = command_line(
        *("ladder", "demo", "--data", "d", "--backbones", "resnet18, resnet34", "--out", "runs"),
        *("--scratch", "plain20", "--max-latency-ms", "5", "--max-params", "25M", "--json", file),
        *("--budget", "20m", "--size", "96"),
    )
    assert typed.code == 0
    (request, rest), *_ = asked
    assert request.everyday["size"] == 96
    assert rest["backbones"] == ["resnet18", "resnet34"]
    assert rest["from_scratch"] == ["plain20"]
    assert rest["wishes"] == Wishes(Limits(5, 25_000_000), None, 1200)
    table = next(line for line in typed.out.splitlines() if line.startswith("resnet18"))
    for cell in ("0.800 [0.750, 0.850]", "0.900 [0.860, 0.940]", "4.25", "98.7", "11.2", "1.80"):
        assert cell in table
    for line in (
        "recommend  take resnet18", "lead       against nobody", "note       val chose",
        "note       resnet18: no more", "notice     be careful", "run        l (01), 2 min",
        "test       kappa 0.880 [0.800, 0.950]",
        "next       transfer predict l-ft PICTURE --store runs",
    ):  # fmt: skip
        assert line in typed.out
    assert json.loads(file.read_text())["climbed"][1]["rung"]["missing"] == "no weights of it here"


def test_unless_named_the_usual_ladder_is_tried(
    command_line: Command, asked: list[tuple[Request, dict[str, Any]]]
) -> None:
    assert command_line("ladder", "demo", "--data", "d").code == 0
    assert asked[0][1]["backbones"] == LADDER
    assert asked[0][1]["tag"] == "tv_in1k"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "20"], "write it as 90s, 20m"),
        (["--max-params", "many"], "millions as in 25M"),
        (["--weights", "starter"], "take auto"),
        (["--json", "found.txt"], "written as .json"),
        (["--backbones", "resnet81"], "did you mean"),
        (["--backbones", "resnet50"], "none of 1 backbones can be tried"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str
) -> None:
    monkeypatch.setattr("transfer.laddering.rungs.cached_file", lambda _: None)
    typed = command_line("ladder", "demo", "--data", "nowhere", *options)
    assert (typed.code, said in typed.err) == (2, True)
