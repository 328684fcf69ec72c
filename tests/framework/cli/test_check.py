import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tasks.labelled_images.task import TASK
from transfer.promises.examination import PROMISES

Command = Callable[..., Any]


@pytest.fixture
def sourceless(monkeypatch: pytest.MonkeyPatch, one_process: None) -> None:
    """Let the task labelled_images say of no source where its data come from."""
    module = ModuleType("sourceless")
    module.TASK = replace(TASK, sources=())  # type: ignore[attr-defined]  # made here
    monkeypatch.setitem(sys.modules, "tasks.labelled_images.task", module)


def test_every_promise_has_a_line_and_a_broken_one_its_mend(
    command_line: Command, sourceless: None
) -> None:
    typed = command_line("check", "labelled_images")
    assert typed.code == 1
    lines = typed.out.splitlines()
    assert sum(line.startswith(("kept ", "broken ", "- ")) for line in lines) == len(PROMISES)
    at = lines.index("broken     names-sources")
    assert [line.split()[0] for line in lines[at + 1 : at + 5]] == [
        "promised", "seen", "looked", "mend",
    ]  # fmt: skip
    assert "-          measures-numbers: the task measures nothing" in lines
    assert lines[-1].startswith(f"labelled_images of {len(PROMISES)} promises: ")
    assert ", 1 broken, " in lines[-1]


def test_with_json_all_of_it_is_one_object(
    command_line: Command, sourceless: None, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"a": 8, "b": 8})
    typed = command_line("check", "labelled_images", "--json", "--data", data)
    assert typed.code == 1
    said = json.loads(typed.out)
    assert (said["task"], said["kept"]) == ("labelled_images", False)
    states = {each["name"]: each["state"] for each in said["promises"]}
    assert [name for name, state in states.items() if state == "broken"] == ["names-sources"]
    assert states["samples-are-small"] == "not applicable"  # other data are looked at


def test_a_task_that_is_not_there_is_no_broken_promise(command_line: Command) -> None:
    typed = command_line("check", "labeled_images")
    assert (typed.code, typed.out) == (2, "")
    assert "did you mean 'labelled_images'?" in typed.err
