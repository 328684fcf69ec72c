"""What a run will do, before it does anything: task, recipe, rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from transfer.network.pretrained import FindModel, choose_weights
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.recipe import Layer, Recipe, Settled, settle
from transfer.samples.inspection import inspect
from transfer.samples.manifest import SPLITS, Manifest
from transfer.samples.split import assign_splits, divided_contents, split_counts


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a network is built.

    Attributes:
        task: whose data these are.
        settled: the recipe with backbone and weights decided, and where each setting came from.
        data: the folder or table as given.
        manifest: readable rows, each with its key and its split.
        name: what the run shall be called.
    """

    task: Task
    settled: Settled
    data: Path
    manifest: Manifest
    name: str

    @property
    def counts(self) -> pd.DataFrame:
        """Rows of each class (down) in each split (across)."""
        return split_counts(self.manifest)


def make_plan(
    task: Task,
    data: Path,
    layers: Sequence[Layer],
    *,
    find_model: FindModel,
    progress: Progress,
    previous: Mapping[str, str] | None = None,
) -> Plan:
    """Settle the recipe, read the rows below `data` and split them.

    Args:
        task: whose data these are.
        data: a folder or a table.
        layers: changes over the task's recipe.
        find_model: run -> folder of its model, for weights that come from a run.
        progress: told what was understood.
        previous: row key -> split of an earlier run, to be used again.

    Raises:
        RecipeError, WeightsError, DataNotFoundError, ManifestError: with what to do.
    """
    settled = choose_weights(settle(task.defaults(), layers), find_model)
    recipe = settled.recipe
    if recipe.weights == "starter":
        progress.warn(
            f"starter weights ({recipe.backbone}, made at 64 px) let this run offline and are no "
            "substitute for ImageNet's; --backbone resnet18 --weights hub downloads those"
        )
    manifest = read_rows(task, recipe, data, progress)
    manifest = assign_splits(manifest, recipe.split, previous)
    if divided := divided_contents(manifest):
        progress.warn(
            f"{divided} row(s) of the given splits share a group or a picture with another split; "
            "scores will look better than they are"
        )
    _say_what_was_understood(manifest, progress)
    name = f"{recipe.backbone}-{recipe.strategy}-{recipe.size}px-seed{recipe.seed}"
    return Plan(task, settled, data, manifest, name)


def read_rows(task: Task, recipe: Recipe, data: Path, progress: Progress) -> Manifest:
    """Return the readable rows below `data`; files that cannot be read are said in one line.

    Raises:
        DataNotFoundError, ManifestError: there is nothing to learn from, or too much is broken.
    """
    settings = recipe.task
    manifest = task.read_manifest(data, settings)
    for note in manifest.notes:
        progress.warn(note)
    inspected = inspect(
        manifest,
        lambda row: task.read_image(row, settings),
        reader=f"{task.read_image.__module__}.{task.read_image.__qualname__} {settings!r} "
        f"pillow {version('pillow')}",
        progress=progress,
    )
    if inspected.broken:
        image, reason = inspected.broken[0]
        progress.warn(
            f"left out {len(inspected.broken)} file(s) that cannot be read, "
            f"first {image!r}: {reason}"
        )
    return inspected.manifest


def _say_what_was_understood(manifest: Manifest, progress: Progress) -> None:
    counts = split_counts(manifest)
    sizes = ", ".join(f"{name} {counts[name].sum():,}" for name in SPLITS if name in counts)
    groups = len(set(manifest.group_numbers()))
    apart = "each alone" if groups == len(manifest) else f"in {groups:,} groups"
    progress.say(
        f"data       {len(manifest):,} pictures {apart}, {len(manifest.classes)} classes: {sizes}"
    )
