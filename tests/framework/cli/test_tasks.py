from collections.abc import Callable
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest


def test_installed_tasks_are_listed_from_metadata_alone(
    command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whales = EntryPoint("whales", "no_such_module:TASK", "transfer.tasks")
    vars(whales).update(dist=SimpleNamespace(name="sea-tasks", version="3.1"))
    lost = EntryPoint("lost", "no_such_module:TASK", "transfer.tasks")
    monkeypatch.setattr("transfer.cli.tasks.installed_tasks", lambda: [lost, whales])
    typed = command_line("tasks")
    assert typed.code == 0
    head, first, second, *_ = (line.split() for line in typed.out.splitlines())
    assert head == ["task", "from", "version"]
    assert (first, second) == (["lost", "?"], ["whales", "sea-tasks", "3.1"])
    assert "next       transfer recipe TASK" in typed.out
