"""What a person sees, and what a pipe gets."""

import io

import pytest
from rich.console import Console

from transfer.cli import console
from transfer.cli.console import Terminal, print_table


def written_by_table(monkeypatch: pytest.MonkeyPatch, width: int, *rows: list[str]) -> list[str]:
    """Return the lines of a table on a terminal so many columns wide."""
    out = Console(file=io.StringIO(), width=width, soft_wrap=True, markup=False, emoji=False)
    monkeypatch.setattr(console, "OUT", out)
    print_table(["name", "score", "where"], rows)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_lines_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    line = f"[red]a[/red] :cat: [/no tag] {'long ' * 60}end"
    Terminal().say(line)
    Terminal().warn(line)
    said = capsys.readouterr()
    assert said.out == f"{line}\n"
    assert said.err == f"note       {line}\n"


def test_a_pipe_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal().step("inspect", 3, "files") as step:
        step.advance()
        step.advance(2, note="loss 0.1")
    assert capsys.readouterr().out.strip() == ""


def test_a_terminal_gets_a_bar_with_its_speed_and_note(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Console(file=io.StringIO(), width=120, force_terminal=True)
    monkeypatch.setattr(console, "OUT", out)
    with Terminal().step("epoch 1/2 [x]", 4, "images") as step:
        step.advance(3, note="loss [0.125]")
    drawn = out.file.getvalue()
    assert "epoch 1/2 [x]" in drawn
    assert "3/4" in drawn
    assert "images/s" in drawn
    assert "loss [0.125]" in drawn


def test_a_table_shows_every_column_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [["a [1] :cat:", "0.5", "data/a"], ["b", "0.25", "data/bb"]]
    assert written_by_table(monkeypatch, 80, *rows) == [
        "name         score  where",
        "a [1] :cat:  0.5    data/a",
        "b            0.25   data/bb",
    ]


def test_a_narrow_terminal_loses_the_last_columns_and_no_letter_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = ["a long name é", "0.5", "data/a"]
    assert written_by_table(monkeypatch, 25, row) == ["name           score", "a long name é  0.5"]
    assert written_by_table(monkeypatch, 5, row)[0].strip() == "name"


def test_an_empty_table_is_its_head(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written_by_table(monkeypatch, 80) == ["name  score  where"]
