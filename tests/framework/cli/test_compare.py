"""`transfer compare`, with a comparison that is already made."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from transfer.comparing.classic import NamedTest
from transfer.comparing.compare import Compared
from transfer.comparing.disagreements import Disagreement
from transfer.comparing.gaps import Gap
from transfer.comparing.result import Comparison, Pair, Side
from transfer.errors import ManifestError

Command = Callable[..., Any]
KEY = "0123:cat"


def comparison(*names: str) -> Comparison:
    """Return what was found about runs of these names, all pairs of neighbours alike."""
    gaps = (
        Gap("accuracy", 0.8, 0.83, 0.03, 0.01, 0.05, 0.004, 0.012, "swaps", 900),
        Gap("ece", 0.1, 0.2, 0.1, note="why not"),
    )
    pairs = tuple(
        Pair(one, other, "models", gaps, f"{other} it is.", (NamedTest("McNemar", "3 or 4", 0.5),),
             (KEY,), ())
        for one, other in pairwise(names)
    )  # fmt: skip
    sides = tuple(Side(name, (name,), (f"id of {name}",), {"accuracy": 0.8}) for name in names)
    return Comparison(
        "pets", "val", "accuracy", 40, 20, sides, pairs, family=2 * len(pairs) - 1,
        notes=("a note",), notice="a notice",
    )  # fmt: skip


class Asked(SimpleNamespace):
    """What the command asked for."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Stand in for all that reads or writes a store."""
    asked = Asked(sensitive=False, kept=0, pictures=[])

    def compare_runs(wanted: Any, on: str, store: Any, progress: Any) -> Compared:
        asked.wanted, asked.on, asked.store = wanted, on, store
        names = [names[0] for names in wanted]
        contenders = tuple(SimpleNamespace(name=name, runs=[name]) for name in names)
        task = SimpleNamespace(sensitive=asked.sensitive)
        return Compared(comparison(*names), contenders, task, store)

    def keep_comparison(compared: Compared, progress: Any) -> Comparison:
        asked.kept += 1
        return replace(compared.found, run_id="kept0123")

    def thumbnails(store: Any, run: Any, task: Any, keys: list[str], progress: Any) -> Any:
        asked.pictures += keys
        return dict.fromkeys(keys, "data:image/png;base64,AAAA")

    row = Disagreement(KEY, "cat", "cat 0.90", "dog 0.80", only_first=True)
    monkeypatch.setattr("transfer.comparing.compare.compare_runs", compare_runs)
    monkeypatch.setattr("transfer.comparing.compare.keep_comparison", keep_comparison)
    monkeypatch.setattr("transfer.comparing.disagreements.disagreements", lambda *_: [row])
    monkeypatch.setattr("transfer.comparing.thumbnails.thumbnails", thumbnails)
    return asked


def test_two_runs_are_told_apart_score_by_score(command_line: Command, asked: Asked) -> None:
    typed = command_line("compare", "a", "b", "--on", "test")
    assert typed.code == 0
    assert (asked.wanted, asked.on, asked.kept) == ([["a"], ["b"]], "test", 1)
    lines = typed.out.splitlines()
    assert lines[0] == "compared   2 contenders on 40 val rows in 20 groups"
    assert "note       a note" in lines
    accuracy = next(line for line in lines if line.startswith("accuracy"))
    assert accuracy.split("  ")[0] == "accuracy"
    for cell in ("0.8000", "0.8300", "+3.0 points", "[+1.0, +5.0]", "0.004", "swaps"):
        assert cell in accuracy
    assert "McNemar: 3 or 4, p 0.50" in lines
    assert "verdict    b it is." in lines
    assert "notice     a notice" in lines
    assert any(line.startswith("kept       kept0123 in ") for line in lines)


def test_of_several_runs_only_the_headline_is_told(command_line: Command, asked: Asked) -> None:
    typed = command_line("compare", "a", "b", "c")
    assert "p corrected" in typed.out
    assert "0.012" in typed.out
    assert "ece" not in typed.out
    assert typed.out.count("verdict ") == 2


def test_commas_join_the_runs_of_a_recipe(command_line: Command, asked: Asked) -> None:
    command_line("compare", "a0,a1", "b0,b1,b2,")
    assert asked.wanted == [["a0", "a1"], ["b0", "b1", "b2"]]


def test_all_numbers_go_into_a_file(command_line: Command, asked: Asked, tmp_path: Path) -> None:
    out = tmp_path / "é.json"
    command_line("compare", "a", "b", "--json", out)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["pairs"][0]["gaps"][0]["corrected"] == 0.012
    assert found["pairs"][0]["only_first"] == [KEY]
    assert list(tmp_path.iterdir()) == [out]


def test_a_page_shows_where_they_disagree(
    command_line: Command, asked: Asked, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    command_line("compare", "a", "b", "--html", out)
    text = out.read_text(encoding="utf-8")
    assert "dog 0.80" in text
    assert "data:image/png" in text
    assert asked.pictures == [KEY]
    assert list(tmp_path.iterdir()) == [out]


def test_pictures_of_a_sensitive_task_stay_out_unless_asked_for(
    command_line: Command, asked: Asked, tmp_path: Path
) -> None:
    asked.sensitive, out = True, tmp_path / "page.html"
    typed = command_line("compare", "a", "b", "--html", out)
    assert "--show-images lets them in" in typed.out
    assert "<img" not in out.read_text()
    assert asked.pictures == []
    command_line("compare", "a", "b", "--html", out, "--show-images")
    assert "<img" in out.read_text()


def test_a_page_is_written_where_pictures_cannot_be_read(
    command_line: Command, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ManifestError("no rows there")

    monkeypatch.setattr("transfer.comparing.thumbnails.thumbnails", refuse)
    typed = command_line("compare", "a", "b", "--html", tmp_path / "page.html")
    assert typed.code == 0
    assert "no pictures: no rows there" in typed.err
    assert "dog 0.80" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(("option", "name"), [("--json", "a.txt"), ("--html", "a.json")])
def test_a_file_of_another_kind_is_refused_before_anything_happens(
    command_line: Command, asked: Asked, option: str, name: str
) -> None:
    typed = command_line("compare", "a", "b", option, name)
    assert typed.code == 2
    assert "this file is written as" in typed.err
    assert asked.kept == 0


def test_a_place_that_cannot_be_written_to_is_said(
    command_line: Command, asked: Asked, tmp_path: Path
) -> None:
    typed = command_line("compare", "a", "b", "--json", tmp_path / "none" / "a.json")
    assert typed.code == 2
    assert "cannot write" in typed.err
