"""What a domain must say about itself to be trainable."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from transfer.images.crop import crop
from transfer.images.pictures import Pixels, read_picture
from transfer.recipe import Recipe
from transfer.samples.manifest import Manifest, Row
from transfer.samples.predictions import Predictions
from transfer.settings import ObjectSettings, TaskSettings


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
    pixels = read_picture(row.source())
    if row.box is None:
        return pixels
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
        scores: what the domain scores beyond its kind of target: (predictions of N rows, weights
            (R, N)) -> each score under each of R weightings, (R,). Intervals follow by themselves.
        read_image: (row, settings) -> (H, W, C), uint8 or float32 in [0, 1].
        write_samples: (folder, count, seed) writes a small data set in the domain's own format.
        sources: papers and licences of the data.
        sensitive: pictures and file names stay out of the tracking store unless asked for.
    """

    name: str
    summary: str
    read_manifest: Callable[[Path, Any], Manifest]
    augment: Callable[[int, Any], Augmentation]
    settings: TaskSettings = field(default_factory=TaskSettings)
    headline: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    scores: Callable[[Predictions, NDArray[np.float64]], dict[str, NDArray[np.float64]]] | None = (
        None
    )
    read_image: Callable[[Row, Any], Pixels] = read_row
    write_samples: Callable[[Path, int, int], None] | None = None
    sources: tuple[str, ...] = ()
    sensitive: bool = False

    def defaults(self) -> Recipe:
        """Return the recipe a run of this task starts from, the task's own settings included."""
        return self.recipe.with_task(self.settings)

    def reader(self, settings: TaskSettings) -> Callable[[Row], Pixels]:
        """Return the task's `read_image` with `settings` in it; loader processes can pickle it."""
        return partial(_read_as_set, self.read_image, settings)


def _read_as_set(
    read: Callable[[Row, TaskSettings], Pixels], settings: TaskSettings, row: Row
) -> Pixels:
    return read(row, settings)
