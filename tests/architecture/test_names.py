"""One name, one spelling: folder, entry point and test folder; `Task.name` is promised."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = sorted(page.parent.name for page in ROOT.glob("tasks/*/task.py"))


@pytest.mark.parametrize("name", TASKS)
def test_the_entry_point_of_a_task_names_its_folder(name: str) -> None:
    assert [entry.value for entry in entry_points(group="transfer.tasks", name=name)] == [
        f"tasks.{name}.task:TASK"
    ]


def test_every_folder_is_a_task_with_an_entry_point_and_tests() -> None:
    folders = [page.parent.name for page in ROOT.glob("tasks/*/__init__.py")]
    tested = [folder.name for folder in ROOT.glob("tests/domains/*") if any(folder.glob("test_*"))]
    entries = entry_points(group="transfer.tasks")
    ours = [entry.name for entry in entries if entry.value.startswith("tasks.")]
    assert sorted(folders) == sorted(tested) == sorted(ours) == TASKS
