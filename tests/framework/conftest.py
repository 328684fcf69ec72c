"""A small task, a plan of it on a handful of pictures, what carries it out and hears of it."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

from transfer.assembly import Place
from transfer.experiment import RunResult, run
from transfer.images.pictures import Pixels
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.task import Task
from transfer.progress import Progress, Silent
from transfer.samples.layouts.detect import read_layout
from transfer.tracking.tracker import DataInput, RunDescription, Status

SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "strategy": "scratch", "epochs": 2, "size": 32,
    "batch_size": 8, "machine": {"device": "cpu", "threads": 1},
}  # fmt: skip


class Noise:
    """An Augmentation that adds noise, so that views differ from the plain picture."""

    def set_random_state(
        self,
        random_generator: np.random.Generator,
        py_random: random.Random,
    ) -> None:
        self._random = random_generator

    def __call__(self, *, image: Pixels, row: object) -> Mapping[str, Pixels]:
        return {"image": image // 2 + self._random.integers(0, 99, image.shape, dtype=np.uint8)}


@pytest.fixture
def small_task() -> Task:
    """Class folders, with noisy views."""
    return Task(
        name="demo",
        summary="pictures",
        read_manifest=lambda data, _: read_layout(data),
        augment=lambda _size, _settings: Noise(),
    )


@pytest.fixture
def no_run() -> Callable[[str], Path]:
    """Look up no run: the test is over if one is asked for."""
    return lambda name: pytest.fail(f"run {name} was looked for")


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing."""
    for name in ("confusion_matrix", "learning_curves", "picture_grid", "reliability_diagram"):
        monkeypatch.setattr(f"transfer.logbook.{name}", lambda *_, **__: b"drawn")


@pytest.fixture
def planned(
    class_folders: Callable[..., Path], small_task: Task, no_run: Callable[[str], Path]
) -> Callable[..., Plan]:
    """Plan two epochs of a tiny network on 24 pictures, with other settings laid over that."""
    data = class_folders({"cat": 12, "dog": 12})

    def plan(task: Task = small_task, **settings: Any) -> Plan:
        layers = [Layer("test", SETTINGS), Layer("test", settings)]
        return make_plan(task, data, layers, find_model=no_run, progress=Silent())

    return plan


@pytest.fixture
def carry_out(no_run: Callable[[str], Path]) -> Callable[..., RunResult]:
    """Carry a plan out; pictures may be logged, and nobody listens, unless told otherwise."""

    def carry_out(
        plan: Plan, recorder: Any, told: Progress | None = None, **options: Any
    ) -> RunResult:
        with TemporaryDirectory() as folder:
            place = Place(no_run, Path(folder).joinpath)
            options = {"log_pictures": True, **options}
            return run(plan, recorder, told or Silent(), place, **options)

    return carry_out


class Recorder:
    """A Tracker that remembers what it is told."""

    def __init__(self) -> None:
        self.run: RunDescription | None = None
        self.resumed: str | None = None
        self.tags: dict[str, str] = {}
        self.numbers: dict[tuple[str, int], float] = {}
        self.inputs: list[DataInput] = []
        self.files: dict[str, bytes] = {}
        self.model: dict[str, bytes] = {}
        self.status: Status | None = None
        self.left = False

    def start(self, run: RunDescription, resume: str | None = None) -> str:
        if not self.left:
            self.run, self.resumed = run, resume
        return "recorded"

    def tag(self, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        self.numbers |= {(name, step): value for name, value in numbers.items()}

    def read(self, inputs: Sequence[DataInput]) -> None:
        self.inputs += inputs

    def keep(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def keep_model(self, write: Callable[[Path], None]) -> None:
        with TemporaryDirectory() as folder:
            write(Path(folder))
            self.model = {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    def finish(self, status: Status) -> str:
        self.status = status
        return "recorded"

    def leave(self) -> str:
        self.left = True
        return "recorded"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()
