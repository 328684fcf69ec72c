"""One task under scrutiny, and what several promises look at, read once."""

import warnings
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transfer.errors import BrokenPromiseError
from transfer.images.framing import frame
from transfer.images.pictures import Pixels
from transfer.pixels.views import TrainingViews
from transfer.plugin.discovery import entry_of, load_task
from transfer.plugin.task import Task
from transfer.progress import Progress, Silent
from transfer.recipe import Recipe
from transfer.samples.inspection import Inspected, inspect
from transfer.samples.manifest import Manifest, Row
from transfer.scoring.judging import Judging

SAMPLES = 40
"""As few as `transfer demo` draws at least."""
SIZE_PX = 48
"""Side of the views that are looked at: large enough to tell which way they are turned."""
_PICTURES, _VIEWS = 8, 4


class View(NamedTuple):
    """A training view of a sample.

    Attributes:
        row: the sample.
        picture: its pixels (SIZE_PX, SIZE_PX, C), uint8 or float32 in [0, 1].
        pixels: of the view.
    """

    row: Row
    picture: Pixels
    pixels: Pixels


class Subject:
    """A task and its data.

    Attributes:
        name: of the task.
        taken: names of commands that it cannot have.
    """

    def __init__(
        self,
        name: str,
        data: Path | None = None,
        *,
        taken: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> None:
        """Look at the task `name`, by the rows below `data`; unset takes its own samples."""
        self.name, self.taken = name, taken
        self._data, self._progress = data, progress or Silent()

    @cached_property
    def entry(self) -> EntryPoint:
        """The entry point that names the task."""
        return entry_of(self.name)

    @cached_property
    def task(self) -> Task:
        """The task."""
        return load_task(self.name)

    @cached_property
    def recipe(self) -> Recipe:
        """Its defaults, its own settings included."""
        return self.task.defaults()

    def written(self, count: int, seed: int) -> TemporaryDirectory[str]:
        """Give a folder that holds samples of the task, for as long as it is looked at.

        Raises:
            BrokenPromiseError: the task writes none.
        """
        if self.task.write_samples is None:
            raise BrokenPromiseError(f"task {self.name!r} writes no samples")
        place = TemporaryDirectory(prefix="transfer-check-")
        self.task.write_samples(Path(place.name) / "samples", count, seed)
        return place

    @cached_property
    def data(self) -> Path:
        """The folder or table that was given, else samples."""
        return self._data or Path(self._place.name) / "samples"

    @property
    def own(self) -> bool:
        """Whether the data are samples of the task."""
        return self._data is None

    @cached_property
    def _place(self) -> TemporaryDirectory[str]:
        return self.written(SAMPLES, 0)

    def read(self) -> Manifest:
        """Read the rows anew."""
        return self.task.read_manifest(self.data, self.recipe.task)

    @cached_property
    def manifest(self) -> Manifest:
        """The rows, as they were read first."""
        return self.read()

    def inspected(self, manifest: Manifest) -> Inspected:
        """Return what the files of a manifest hold."""
        task, settings = self.task, self.recipe.task
        return inspect(
            manifest,
            self.task.reader(settings, self.recipe.bands),
            reader=f"{task.reader_name(settings, self.recipe.bands)} as transfer check",
            progress=self._progress,
            columns=task.reads,
            measure=task.measure,
            cache=Path(self._place.name) / "cache" if self.own else None,
        )

    @cached_property
    def seen(self) -> Inspected:
        """What the files hold."""
        return self.inspected(self.manifest)

    @cached_property
    def rows(self) -> Sequence[Row]:
        """A few rows from all over the table."""
        rows = self.seen.manifest
        numbers = np.linspace(0, len(rows) - 1, min(_PICTURES, len(rows))).astype(int)
        return [rows.row(number) for number in dict.fromkeys(numbers.tolist())]

    def picture(self, row: Row) -> Pixels:
        """Return the pixels of a row as the task reads them, (H, W, C)."""
        return self.task.reader(self.recipe.task, self.recipe.bands)(row)

    def plain(self, row: Row) -> Pixels:
        """Return the pixels of a row as they are scored, (SIZE_PX, SIZE_PX, C)."""
        return frame(self.picture(row), SIZE_PX, self.recipe.framing)

    @cached_property
    def training_views(self) -> TrainingViews:
        """What draws the views of a run."""
        return TrainingViews(self.task.augment(SIZE_PX, self.recipe.task), seed=0)

    @cached_property
    def views(self) -> tuple[Sequence[View], Sequence[str]]:
        """Some views of a few rows, of both depths; and what was warned of while they were drawn.

        Of each row there are views of its own depth and of the other one.
        """
        drawn = []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            views = TrainingViews(self.task.augment(SIZE_PX, self.recipe.task), seed=0)
            for number, row in enumerate(self.rows):
                picture = self.plain(row)
                for depth in (picture, other_depth(picture)):
                    drawn += [
                        View(row, depth, views(depth.copy(), row, epoch, number))
                        for epoch in range(_VIEWS)
                    ]
        return drawn, [str(each.message) for each in warned]

    @cached_property
    def judging(self) -> Judging:
        """How its rows are judged."""
        judge = self.task.judge
        domain = None if judge is None else judge(self.recipe.task)
        return Judging(self.seen.manifest.target, domain)


def other_depth(pixels: Pixels) -> Pixels:
    """Return uint8 pixels as float32 in [0, 1], and those as uint8."""
    if pixels.dtype == np.uint8:
        return (pixels / 255).astype(np.float32)
    deep: NDArray[np.uint8] = np.rint(pixels * 255).astype(np.uint8)
    return deep
