"""Tasks that break one promise each: that one is named, and no other."""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from transfer.plugin.discovery import COMMANDS, GROUP
from transfer.promises.examination import BY_NAME, PROMISES, Examination
from transfer.promises.promise import State
from transfer.promises.subject import SAMPLES, Subject

STRANGER = Path(__file__).with_name("stranger")
OF_A_PACKAGE = {"imports-little", "commands-are-its-own"}
ALONE = (
    "settings-have-bounds", "reads-twice-alike", "groups-can-be-split", "pixels-know-no-label",
    "samples-repeat", "views-keep-their-form", "flips-are-independent", "all-of-it-pickles",
    "weights-are-rows",
)  # fmt: skip

READ_ANEW = ("classes-cover-labels", "samples-are-small")

Install = Callable[..., None]


@cache
def read_once() -> dict[str, Any]:
    """Return what was read of the healthy task, for others that read the same."""
    subject = Subject("stranger")
    assert len(subject.seen.manifest) == SAMPLES
    return {name: vars(subject)[name] for name in ("_place", "data", "manifest", "seen")}


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, one_process: None) -> Install:
    """Let the task "stranger", and these commands, be all that is installed."""
    monkeypatch.syspath_prepend(STRANGER)
    monkeypatch.setattr("transfer.promises.fresh.HEAVY", frozenset({"heavy_stand_in"}))
    monkeypatch.delitem(sys.modules, "heavy_stand_in", raising=False)
    monkeypatch.delitem(sys.modules, "heavy_task", raising=False)
    import_module("stranger_task")

    def install(value: str, commands: tuple[tuple[str, str, str], ...] = ()) -> None:
        found = {GROUP: [("stranger", value, "strange")], COMMANDS: commands}
        entries = {
            group: [_entry(*each, group) for each in these] for group, these in found.items()
        }
        monkeypatch.setattr("transfer.plugin.discovery.entry_points", lambda group: entries[group])

    return install


def _entry(name: str, value: str, package: str, group: str) -> EntryPoint:
    entry = EntryPoint(name, value, group)
    vars(entry).update(dist=SimpleNamespace(name=package))  # as importlib.metadata does
    return entry


def broken_of(examination: Examination) -> dict[str, str]:
    verdicts = map(examination.verdict, PROMISES)
    return {each.promise.name: each.said for each in verdicts if each.state is State.BROKEN}


def test_a_task_that_keeps_all_promises_is_told_so(install: Install) -> None:
    install("stranger_task:HEALTHY")
    verdicts = list(map(Examination("stranger").verdict, PROMISES))
    assert {each.promise.name: each.said for each in verdicts if each.state is not State.KEPT} == {
        "commands-are-its-own": "its package has no commands; a new entry point takes pip install "
        "-e . again",
        "measures-numbers": "the task measures nothing",
        "figures-are-drawn": "it draws no figures of these rows",
    }


@pytest.mark.parametrize("name", sorted({*BY_NAME} - OF_A_PACKAGE - {*ALONE}))
def test_a_task_that_breaks_a_promise_is_told_what_was_seen(install: Install, name: str) -> None:
    install("stranger_task:HEALTHY")
    read = {} if name in READ_ANEW else read_once()
    install(f"stranger_task:BREAKS.{name.replace('-', '_')}")
    examination = Examination("stranger")
    vars(examination._subject).update(read)
    verdict = examination.verdict(replace(BY_NAME[name], needs=()))
    assert verdict.state is State.BROKEN
    assert verdict.said


@pytest.mark.parametrize("name", ALONE)
def test_a_task_that_breaks_a_promise_breaks_that_one_only(install: Install, name: str) -> None:
    install(f"stranger_task:BREAKS.{name.replace('-', '_')}")
    found = broken_of(Examination("stranger"))
    assert set(found) == {name}
    assert found[name]


def test_a_module_that_imports_much_breaks_that_promise_only(install: Install) -> None:
    install("heavy_task:TASK")
    assert broken_of(Examination("stranger")) == {
        "imports-little": "importing it loads heavy_stand_in"
    }


@pytest.mark.parametrize(
    ("commands", "seen"),
    [
        ([("fit", "stranger_task:write_samples", "strange")], "transfer has a command 'fit'"),
        (
            [("paint", "stranger_task:augment", "strange"), ("paint", "a:b", "other")],
            "command 'paint' is claimed by other (a:b) and strange (stranger_task:augment)",
        ),
        ([("paint", "stranger_task:LIGHT", "strange")], "stranger_task:LIGHT is no function"),
    ],
    ids=["ours", "another's", "no function"],
)
def test_a_command_that_clashes_breaks_that_promise(
    install: Install, commands: list[tuple[str, str, str]], seen: str
) -> None:
    install("stranger_task:HEALTHY", tuple(commands))
    found = Examination("stranger", taken=frozenset({"fit"}))
    assert seen in found.verdict(BY_NAME["commands-are-its-own"]).said


def test_a_column_that_is_read_has_to_be_declared(install: Install) -> None:
    install("stranger_task:COLUMN_UNDECLARED")
    verdict = Examination("stranger").verdict(BY_NAME["pixels-know-no-label"])
    assert verdict.state is State.BROKEN


def test_what_cannot_be_looked_at_says_which_promise_comes_first(install: Install) -> None:
    install("stranger_task:NO_SUCH_TASK")
    found = Examination("stranger")
    assert found.verdict(BY_NAME["loads"]).state is State.BROKEN
    assert found.verdict(BY_NAME["pixels-repeat"]) == (
        BY_NAME["pixels-repeat"],
        State.MOOT,
        "it takes pixels-are-valid, which is not kept",
    )


def test_other_data_than_samples_are_looked_at(
    install: Install, class_folders: Callable[..., Path]
) -> None:
    install("stranger_task:HEALTHY")
    data = class_folders({"dark": 12, "light": 12, "night": 1})
    found = Examination("stranger", data)
    assert found.verdict(BY_NAME["reads-twice-alike"]).state is State.KEPT
    said = found.verdict(BY_NAME["groups-can-be-split"]).said
    assert "night" in said


def test_every_promise_says_how_it_is_checked_and_mended() -> None:
    assert len(BY_NAME) == len(PROMISES)
    for promise in PROMISES:
        for said in (promise.promised, promise.mend, promise.checked):
            assert said.endswith(".")
            assert said[0].isupper() or said.startswith(("`", '"'))
    order = [promise.name for promise in PROMISES]
    assert {need for promise in PROMISES for need in promise.needs} <= {*order}
