import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from transfer.catalogue import installed
from transfer.catalogue.installed import read_catalogue
from transfer.errors import BrokenPromiseError, DataNotFoundError

Install = Callable[..., None]
GOOD = """
[small]
title = "A small set"
page = "https://example.org"
licence = "CC0"
pictures = 4
classes = 2
layout = "class folders"
split = "rows are drawn"
citation = "Nobody 2020"
files = [{ name = "set.zip", megabytes = 1500, url = "https://example.org/set.zip" }]
"""


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Install:
    """Install packages whose task modules must not be imported, with these cards."""
    monkeypatch.syspath_prepend(tmp_path)
    entries: list[EntryPoint] = []
    monkeypatch.setattr(installed, "installed_tasks", lambda: entries)

    def install(name: str, cards: str | None) -> None:
        package = tmp_path / f"foreign_{name}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "task.py").write_text("raise AssertionError('imported')")
        if cards is not None:
            (package / "cards.toml").write_text(cards)
        entries.append(EntryPoint(name, f"foreign_{name}.task:TASK", "transfer.tasks"))
        monkeypatch.delitem(sys.modules, package.name, raising=False)

    return install


def test_cards_of_a_stranger_s_package_are_found_without_its_task(install: Install) -> None:
    install("leaves", GOOD)
    install("whales", None)
    (card,) = read_catalogue().cards
    assert (card.name, card.task) == ("small", "leaves")
    assert "foreign_leaves.task" not in sys.modules


def test_a_broken_file_keeps_nobody_from_the_others(install: Install) -> None:
    install("leaves", GOOD)
    install("whales", "no TOML")
    catalogue = read_catalogue()
    assert [card.task for card in catalogue.cards] == ["leaves"]
    (broken,) = catalogue.broken
    assert "foreign_whales/cards.toml' cannot be read" in broken
    with pytest.raises(DataNotFoundError, match="not read: '.*foreign_whales/cards.toml'"):
        catalogue.card("whale_tails")


def test_a_name_that_is_not_there_is_refused_with_what_was_meant(install: Install) -> None:
    install("leaves", GOOD)
    with pytest.raises(DataNotFoundError) as caught:
        read_catalogue().card("smal")
    assert str(caught.value) == "no data set named 'smal'. did you mean 'small'? Known: small"


def test_a_name_that_two_tasks_claim_is_refused(install: Install) -> None:
    install("leaves", GOOD)
    install("whales", GOOD)
    with pytest.raises(BrokenPromiseError, match="'small' is claimed by the tasks leaves and wha"):
        read_catalogue().card("small")


@pytest.mark.parametrize(
    ("value", "broken"), [("no_such_package.task:TASK", 1), ("no_such_module:TASK", 0)]
)
def test_a_task_that_is_gone_or_a_lone_module_brings_none(
    monkeypatch: pytest.MonkeyPatch, value: str, broken: int
) -> None:
    entries = [EntryPoint("leaves", value, "transfer.tasks")]
    monkeypatch.setattr(installed, "installed_tasks", lambda: entries)
    catalogue = read_catalogue()
    assert catalogue.cards == []
    assert len(catalogue.broken) == broken
