from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer.agreement import agree_on_plan, tracker_for
from transfer.errors import ManifestError
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.processes import ALONE, Alone, Share
from transfer.progress import Silent
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import open_store
from transfer.tracking.tracker import SilentTracker

pytestmark = pytest.mark.usefixtures("own_caches")

SETTINGS = {"backbone": "test_resnet", "weights": "none", "strategy": "finetune", "size": 32}


class Second(Alone):
    """The second of two processes, which is told what the first one found."""

    share = Share(1, 2, 1, 2)

    def __init__(self) -> None:
        self.told: list[Any] = []

    def first(self, make: Callable[[], Any]) -> Any:
        return self.told.pop(0)


class First(Alone):
    """The first process; the second hears what it says."""

    share = Share(0, 2, 0, 2)

    def __init__(self, second: Second) -> None:
        self._second = second

    def first(self, make: Callable[[], Any]) -> Any:
        self._second.told.append(make())
        return self._second.told[-1]


@pytest.fixture
def plan(class_folders: Callable[..., Path]) -> Plan:
    task, data = load_task("labelled_images"), class_folders({"cat": 8, "dog": 9})
    layers = [Layer("test", SETTINGS)]
    made = make_plan(task, data, layers, find_model=pytest.fail, progress=Silent())
    return replace(made, name="as the first calls it")


def nothing_is_decided_here() -> Plan:
    raise AssertionError


def test_another_process_makes_the_plan_of_the_first(plan: Plan) -> None:
    second = Second()
    assert agree_on_plan(lambda: plan, First(second)) is plan
    other = agree_on_plan(nothing_is_decided_here, second)
    assert (other.name, other.task.name, other.data) == (plan.name, plan.task.name, plan.data)
    assert other.settled.recipe == plan.settled.recipe
    assert other.manifest.rows.equals(plan.manifest.rows)


def test_other_files_on_another_machine_are_refused(plan: Plan) -> None:
    second = Second()
    agree_on_plan(lambda: plan, First(second))
    (plan.data / "dog" / "dog 3.png").unlink()
    with pytest.raises(ManifestError, match="0 row.s. are new, 1 are gone.*need the same files"):
        agree_on_plan(nothing_is_decided_here, second)


def test_one_process_agrees_with_itself(plan: Plan) -> None:
    assert agree_on_plan(lambda: plan, ALONE) is plan


def test_only_the_first_process_keeps_a_record(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs")
    assert isinstance(tracker_for(store, Silent(), ALONE), MlflowTracker)
    assert isinstance(tracker_for(store, Silent(), Second()), SilentTracker)
