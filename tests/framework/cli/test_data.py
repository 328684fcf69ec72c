"""`transfer samples`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer.plugin.discovery import load_task

Command = Callable[..., Any]


def test_samples_are_written_and_the_next_step_is_said(
    command_line: Command, tmp_path: Path
) -> None:
    typed = command_line("samples", "labelled_images", "--out", tmp_path / "a b", "--count", 7)
    assert typed.code == 0
    assert len(list((tmp_path / "a b").glob("*/*"))) == 7
    assert f"next       transfer fit labelled_images --data '{tmp_path}/a b'" in typed.out


def test_a_folder_that_holds_something_is_not_written_to(
    command_line: Command, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").touch()
    typed = command_line("samples", "labelled_images", "--out", tmp_path)
    assert typed.code == 2
    assert f"error      {str(tmp_path)!r} is not empty; name a new folder" in typed.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_place_below_a_file_cannot_be_written(command_line: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    typed = command_line("samples", "labelled_images", "--out", tmp_path / "file" / "set")
    assert typed.code == 2
    assert "cannot be written" in typed.err


def test_a_task_that_draws_no_samples_says_so(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    task = replace(load_task("labelled_images"), write_samples=None)
    monkeypatch.setattr("transfer.plugin.discovery.load_task", lambda _: task)
    typed = command_line("samples", "labelled_images", "--out", tmp_path / "set")
    assert typed.code == 2
    assert "error      task 'labelled_images' writes no samples; bring data of" in typed.err


@pytest.mark.parametrize("count", ["0", "-3", "many"])
def test_a_count_is_a_positive_number(command_line: Command, tmp_path: Path, count: str) -> None:
    typed = command_line("samples", "labelled_images", "--out", tmp_path / "x", "--count", count)
    assert typed.code == 2
    assert "--count" in typed.err
