"""`transfer data`, `transfer fetch` and `transfer samples`."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer.catalogue.card import Card
from transfer.catalogue.installed import Catalogue
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


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Be in an empty folder, and know two data sets: one at hand, one that needs an account."""
    facts = {
        "task": "leaves", "page": "https://example.org", "licence": "CC BY", "pictures": 1234,
        "classes": 3, "layout": "class folders", "split": "rows are drawn", "citation": "Me 2020",
        "data": "set",
    }  # fmt: skip
    file = {"name": "set.zip", "megabytes": 1500}
    url = {"url": "https://example.org/set.zip", "md5": "0" * 32, "stated_by": "its publishers"}
    cards = [
        Card.model_validate({**facts, "name": "free", "title": "Free", "files": [{**file, **url}]}),
        Card.model_validate(
            {**facts, "name": "held", "title": "Held", "files": [file], "account": "Ask them."}
        ),
    ]
    monkeypatch.setattr(
        "transfer.catalogue.installed.read_catalogue", lambda: Catalogue(cards, ["what is wrong"])
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(typed: Any) -> dict[str, list[str]]:
    """Return the cells of a table by the first of each line."""
    assert typed.code == 0
    lines = [re.split(r"  +", line.strip()) for line in typed.out.splitlines() if line.strip()]
    return {first: rest for first, *rest in lines}


def test_data_sets_are_listed_with_what_is_here(command_line: Command, known: Path) -> None:
    typed = command_line("data")
    assert rows(typed)["free"] == ["leaves", "1,234", "1.5 GB", "-", "CC BY"]
    assert rows(typed)["held"] == ["leaves", "1,234", "1.5 GB", "needs an account", "CC BY"]
    assert typed.err == "note       what is wrong\n"
    (known / "data/free/set").mkdir(parents=True)
    (known / "data/held.download").mkdir()
    (known / "data/held.download/set.zip").write_bytes(bytes(3 * 10**6))
    here = rows(command_line("data"))
    assert here["free"][3] == "data/free"
    assert here["held"][3] == "3 MB in data/held.download"
    assert rows(command_line("data", "--to", "elsewhere"))["free"][3] == "-"


def test_one_data_set_is_shown_whole(command_line: Command, known: Path) -> None:
    said = command_line("data", "held").out
    for line in (
        "held       Held", "pictures   1,234 of 3 classes", "layout     class folders in set",
        "account    Ask them.", "file       set.zip, 1.5 GB, by hand, no checksum is published",
        "next       transfer fetch held", "           transfer fit leaves --data data/held/set",
    ):  # fmt: skip
        assert f"{line}\n" in said
    assert (
        f"set.zip, md5 {'0' * 32} as stated by its publishers" in command_line("data", "free").out
    )


def test_a_data_set_that_is_not_known_is_refused(command_line: Command, known: Path) -> None:
    for command in ("data", "fetch"):
        typed = command_line(command, "fre")
        assert typed.code == 2
        assert "error      no data set named 'fre'. did you mean 'free'?" in typed.err


def test_a_fetched_data_set_says_what_to_type_next(
    command_line: Command, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(card: Card, below: Path, progress: object, *, keep: bool) -> Path:
        asked.append((card.name, below, keep))
        return below / card.name

    monkeypatch.setattr("transfer.catalogue.fetch.fetch", fetch)
    typed = command_line("fetch", "free", "--to", "my data", "--keep")
    assert typed.code == 0
    assert "data       1,234 pictures, CC BY; cite Me 2020\n" in typed.out
    assert typed.out.endswith("next       transfer fit leaves --data 'my data/free/set'\n")
    command_line("fetch", "held")
    assert asked == [("free", Path("my data"), True), ("held", Path("data"), False)]


def test_ctrl_c_says_how_to_go_on(
    command_line: Command, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr("transfer.catalogue.fetch.fetch", fetch)
    typed = command_line("fetch", "free")
    assert typed.code == 130
    assert typed.err == (
        "stopped    what has come is in data/free.download; the same command goes on from there\n"
    )
