"""What a domain must say about itself to be trainable."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from transfer.images.crop import crop
from transfer.images.frames import read_frame
from transfer.images.pictures import Pixels, read_picture
from transfer.plugin.judge import Judge
from transfer.recipe import Recipe
from transfer.samples.inspection import Measure, no_numbers
from transfer.samples.manifest import Manifest, Row
from transfer.settings import ObjectSettings, TaskSettings

CONTRACT = 1
"""Version of what a task and the framework promise each other; it grows where a task that kept to
the last one would no longer work."""


class Augmentation(Protocol):
    """What `augment` returns: an albumentations pipeline, or what behaves like one.

    The framework gives each sample its own random state, so that loader workers change nothing.
    A transform that must know the row (no flip for some labels) asks for the target "row"; it is
    empty for test-time views.
    """

    def set_random_state(
        self, random_generator: np.random.Generator, py_random: random.Random
    ) -> None:
        """Draw from these from now on."""

    def __call__(self, *, image: Pixels, row: Row) -> Mapping[str, Any]:
        """Return {"image": array (size, size, C)} of the dtype given."""


def read_row(row: Row, settings: TaskSettings) -> Pixels:
    """Return the picture of a row: (H, W, 3), uint8, or float32 in [0, 1] from deeper pixels.

    Of a row with a box it is the part in the box, and around it by the margin of the settings.
    """
    if row.box is None:
        return read_picture(row.source())
    pixels = read_frame(row.path) if row.record is None else read_picture(row.source())
    return crop(pixels, row.box, settings.margin if isinstance(settings, ObjectSettings) else 0.0)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One domain: an adapter, its augmentation, and good settings for both.

    Attributes:
        name: also the entry point, the data folder and the MLflow experiment.
        summary: one line for `transfer tasks`.
        read_manifest: (folder or table, settings) -> Manifest. Reads tables and names, no pixels.
        augment: (size in px, settings) -> training views of (size, size, C) arrays. No
            normalization: the backbone owns its mean and std.
        settings: the task's own settings with their defaults.
        headline: the score that picks the best epoch, any key of its scores, higher is better;
            None takes that of the kind of target.
        recipe: settings of the fine-tuner that work here.
        judge: settings -> what the domain scores beyond its kind of target.
        read_image: (row, settings) -> (H, W, C), uint8 or float32 in [0, 1].
        reads: free columns of a row that `read_image` goes by, such as landmarks.
        read_bands: (row, names, settings) -> (H, W, C), a band for each name, where the recipe
            names bands; None reads with `read_image`, whose bands are then named.
        measure: (row, its pixels) -> numbers by name, such as how bright an object is. They are
            taken when a row is first read, and become free columns of its manifest.
        check: (recipe) raises a RecipeError where settings say nothing together, before anything is
            read.
        write_samples: (folder, count, seed) writes a small data set in the domain's own format.
        sources: papers and licences of the data.
        sensitive: pictures and file names stay out of the tracking store unless asked for.
        notice: one line that every run and every evaluation ends with.
        label_holds: (row, its picture, a view of it) -> False where the view no longer shows the
            label, as far as the task can say; `transfer check` asks it about many views.
        contract: version of the contract it is made for. The default stays 1, whatever comes: who
            names none was there before there was a second.
    """

    name: str
    summary: str
    read_manifest: Callable[[Path, Any], Manifest]
    augment: Callable[[int, Any], Augmentation]
    settings: TaskSettings = field(default_factory=TaskSettings)
    headline: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    judge: Callable[[Any], Judge] | None = None
    read_image: Callable[[Row, Any], Pixels] = read_row
    reads: tuple[str, ...] = ()
    read_bands: Callable[[Row, tuple[str, ...], Any], Pixels] | None = None
    measure: Measure = no_numbers
    check: Callable[[Recipe], None] | None = None
    write_samples: Callable[[Path, int, int], None] | None = None
    sources: tuple[str, ...] = ()
    sensitive: bool = False
    notice: str = ""
    label_holds: Callable[[Row, Pixels, Pixels], bool] | None = None
    contract: int = 1

    def defaults(self) -> Recipe:
        """Return the recipe a run of this task starts from, the task's own settings included."""
        return self.recipe.with_task(self.settings)

    def reader(
        self, settings: TaskSettings, bands: tuple[str, ...] = ()
    ) -> Callable[[Row], Pixels]:
        """Return what reads the pictures of a recipe; loader processes can pickle it.

        Args:
            settings: the task's own, of the recipe.
            bands: of the recipe.
        """
        if bands and self.read_bands is not None:
            return partial(_read_bands_as_set, self.read_bands, bands, settings)
        return partial(_read_as_set, self.read_image, settings)

    def reader_name(self, settings: TaskSettings, bands: tuple[str, ...] = ()) -> str:
        """Return a text that is another one whenever `reader` may give other pixels."""
        by_name = self.read_bands if bands else None
        read: Callable[..., Pixels] = by_name or self.read_image
        named = f" {bands!r}" if by_name else ""
        return f"{read.__module__}.{read.__qualname__} {settings!r}{named}"

    def reads_as_all(self, bands: tuple[str, ...] = ()) -> bool:
        """Say whether pictures of a recipe with these `bands` can be read without this task."""
        return self.read_image is read_row and not (bands and self.read_bands)


def _read_as_set(
    read: Callable[[Row, TaskSettings], Pixels], settings: TaskSettings, row: Row
) -> Pixels:
    return read(row, settings)


def _read_bands_as_set(
    read: Callable[[Row, tuple[str, ...], TaskSettings], Pixels],
    bands: tuple[str, ...],
    settings: TaskSettings,
    row: Row,
) -> Pixels:
    return read(row, bands, settings)
