"""What a run will do, before it does anything: task, recipe, rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from transfer.cache.code import code_digest
from transfer.finetuning.schedule import check_optimizer
from transfer.images.crop import crop
from transfer.images.dicom import read_dicom
from transfer.images.geotiff import read_bands
from transfer.images.pictures import decoders, read_picture
from transfer.images.records import read_record
from transfer.network.backbone import check_size
from transfer.network.freezing import check_stage
from transfer.network.pretrained import FindModel, choose_weights
from transfer.overlay import Layer, Settled, settle
from transfer.pixels.pixel_store import PixelStore
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.recipe import Recipe
from transfer.samples.groups_file import GroupsFile, read_groups
from transfer.samples.inspection import Broken, Inspected, inspect
from transfer.samples.leaks import (
    Leak,
    among,
    amounts,
    find_contradictions,
    find_leaks,
    refuse_leaks,
    verdict,
)
from transfer.samples.manifest import Manifest
from transfer.samples.split import assign_splits, split_counts
from transfer.samples.target import TargetKind
from transfer.scoring.judging import Judging
from transfer.scoring.metrics import SCORECARDS

_SHOWN, _SHOWN_CLASSES = 5, 20


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a network is built.

    Attributes:
        task: whose data these are.
        settled: the recipe with backbone and weights decided, and where each setting came from.
        data: the folder or table as given.
        manifest: readable rows, each with its key and its split.
        broken: files that were left out, and why.
        name: what the run shall be called.
        side_px: shorter side of the pictures before framing, the median; None if nobody looked.
        parent: id of the run that this one is a part of.
        leaks: what the given splits divide although it belongs together; kept because asked for.
        groups_digest: names the groups file that was kept to; "" for none.
    """

    task: Task
    settled: Settled
    data: Path
    manifest: Manifest
    broken: tuple[Broken, ...]
    name: str
    side_px: int | None = None
    parent: str | None = None
    leaks: tuple[Leak, ...] = ()
    groups_digest: str = ""

    @property
    def audit(self) -> str:
        """What the run says of its rows beside its scores: "clean", or what is wrong with them."""
        present = set(self.manifest.rows["split"])
        return verdict(among(self.leaks, present), self.settled.recipe.split)

    @property
    def judging(self) -> Judging:
        """How its rows are judged."""
        return judging_of(self.task, self.settled.recipe, self.manifest.target)

    @property
    def headline(self) -> str:
        """The score that picks the best epoch: the task's, or that of its kind of target."""
        own = self.judging.headline or self.task.headline
        return own or SCORECARDS[self.manifest.target].headline


def make_plan(
    task: Task,
    data: Path,
    layers: Sequence[Layer],
    *,
    find_model: FindModel | None,
    progress: Progress,
    previous: Mapping[str, str] | None = None,
) -> Plan:
    """Settle the recipe, read the rows below `data` and split them.

    Args:
        task: whose data these are.
        data: a folder or a table.
        layers: changes over the task's recipe.
        find_model: run -> folder of its model, for weights that come from a run; None where the
            layers have backbone and weights decided, as those of a run that goes on.
        progress: told what was understood.
        previous: row key -> split of an earlier run, to be used again.

    Raises:
        RecipeError, WeightsError, DataNotFoundError, ManifestError: with what to do; the last also
            where given splits divide what belongs together.
    """
    settled = _with_absolute_paths(settle(task.defaults(), layers))
    if find_model is not None:
        settled = choose_weights(settled, find_model)
    recipe = settled.recipe
    check_size(recipe.backbone, recipe.size, recipe.head.stages or 1)
    check_optimizer(recipe.training.optimizer)
    if recipe.training.frozen_to is not None:
        check_stage(recipe.backbone, recipe.training.frozen_to)
    if task.check is not None:
        task.check(recipe)
    _say_what_was_chosen(settled, progress)
    inspected = read_rows(task, recipe, data, progress, pixel_store(recipe, progress))
    rows, groups = _as_asked(inspected.manifest, recipe, progress)
    manifest = assign_splits(rows if groups is None else groups.merge(rows), recipe.split, previous)
    leaks = find_leaks(rows.with_columns(split=manifest.rows["split"]))
    refuse_leaks(leaks, recipe.split)
    _say_what_is_doubtful(rows, leaks, manifest, progress)
    _say_what_was_understood(manifest, progress)
    if recipe.epochs is None:
        settled = settled.with_values("data", epochs=recipe.passes(len(manifest.numbers("train"))))
    return Plan(
        task=task,
        settled=settled,
        data=data,
        manifest=manifest,
        broken=inspected.broken,
        name=f"{recipe.backbone}-{recipe.strategy}-{recipe.size}px-seed{recipe.seed}",
        side_px=inspected.side_px,
        leaks=leaks,
        groups_digest="" if groups is None else groups.digest,
    )


def judging_of(task: Task, recipe: Recipe, kind: TargetKind) -> Judging:
    """Return how rows of `task` are judged under the settings of `recipe`."""
    return Judging(kind, None if task.judge is None else task.judge(recipe.task))


def pixel_store(recipe: Recipe, progress: Progress) -> PixelStore:
    """Return where the pixels of a recipe's size and framing are kept."""
    limit = int(recipe.machine.pixels_gb * 1e9)
    return PixelStore(recipe.size, recipe.framing, limit, progress.warn)


def read_rows(
    task: Task, recipe: Recipe, data: Path, progress: Progress, store: PixelStore | None = None
) -> Inspected:
    """Return the readable rows below `data`; files that cannot be read are said in one line.

    Args:
        task: whose data these are.
        recipe: with the task's settings.
        data: a folder or a table.
        progress: told of what is left out.
        store: keeps the pixels of files that have to be opened; None where nobody trains on them.

    Raises:
        DataNotFoundError, ManifestError: there is nothing to learn from, or too much is broken.
    """
    manifest = task.read_manifest(data, recipe.task)
    for note in manifest.notes:
        progress.warn(note)
    own = (task.read_image, task.read_bands or task.read_image, task.measure)
    code = code_digest(*own, read_picture, read_record, crop, read_dicom, read_bands)
    reader = f"{task.reader_name(recipe.task, recipe.bands)} {decoders()} {code}"
    read = task.reader(recipe.task, recipe.bands)
    look = partial(
        inspect,
        manifest,
        read,
        reader=reader,
        columns=task.reads,
        progress=progress,
        measure=task.measure,
    )
    if store is None:
        inspected = look()
    else:
        with store.alone(f"{manifest.root.absolute()} {reader}".encode()):
            inspected = look(keep=store.keeping)
    if broken := inspected.broken:
        names = ", ".join(repr(image) for image, _ in broken[:_SHOWN])
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        progress.warn(
            f"left out {len(broken)} file(s) that cannot be read: {names}{more}; "
            f"the first: {broken[0].reason}"
        )
    return inspected


def _with_absolute_paths(settled: Settled) -> Settled:
    """Return the recipe as it is read from any folder: a run may go on in another."""
    split = settled.recipe.split
    if split.groups_file is None:
        return settled
    split = split.model_copy(update={"groups_file": str(Path(split.groups_file).absolute())})
    return replace(settled, recipe=settled.recipe.model_copy(update={"split": split}))


def _as_asked(
    manifest: Manifest, recipe: Recipe, progress: Progress
) -> tuple[Manifest, GroupsFile | None]:
    """Return the rows without what the recipe wants ignored, and the groups that it adds.

    Raises:
        ManifestError: the file of groups cannot be read.
    """
    if recipe.split.ignore_given:
        manifest = manifest.with_columns(split="")
    if recipe.split.ignore_groups:
        groups = len(set(manifest.group_numbers()))
        manifest = manifest.with_columns(group="")
        progress.warn(
            f"groups are ignored: {len(manifest):,} rows of {groups:,} groups are dealt one by one "
            "and counted as independent; scores and intervals will look better than they are"
        )
    if recipe.split.groups_file is None:
        return manifest, None
    return manifest, read_groups(Path(recipe.split.groups_file))


def _say_what_is_doubtful(
    rows: Manifest, leaks: Sequence[Leak], manifest: Manifest, progress: Progress
) -> None:
    """Say what scores suffer from: leaks, near-duplicates of the file, pictures with two labels.

    Args:
        rows: with the groups of the data.
        leaks: that were asked for.
        manifest: the rows split, with groups that what is equal or in the file was added to.
        progress: told.
    """
    if leaks:
        progress.warn(f"{amounts(leaks)} in several splits; scores will look better than they are")
    elif near := [leak for leak in find_leaks(manifest) if leak.tie == "group"]:
        progress.warn(
            f"{len(near)} group(s) of near-duplicates are divided by the given splits; scores will "
            "look better than they are. split.ignore_given = true draws others"
        )
    if odd := find_contradictions(rows):
        more = f"; and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        shown = "; ".join(map(str, odd[:_SHOWN]))
        progress.warn(f"{len(odd)} picture(s) have more than one label: {shown}{more}")


def _say_what_was_chosen(settled: Settled, progress: Progress) -> None:
    recipe = settled.recipe
    how = " (auto)" if settled.origins.get("weights") == "auto" else ""
    own = settled.origins.get("size") in {"auto", "weights"}
    size = f"{recipe.size} px{', the size of its weights' if own else ''}"
    progress.say(f"network    {recipe.backbone} at {size}, weights: {recipe.weights}{how}")
    if recipe.weights == "starter":
        progress.warn(
            f"starter weights ({recipe.backbone}, made at 64 px) let this run offline and are no "
            "substitute for ImageNet's; --backbone resnet18 --weights hub downloads those"
        )


def _say_what_was_understood(manifest: Manifest, progress: Progress) -> None:
    counts = split_counts(manifest)
    sizes = ", ".join(f"{name} {len(manifest.numbers(str(name))):,}" for name in counts)
    groups = len(set(manifest.group_numbers()))
    apart = "each alone" if groups == len(manifest) else f"in {groups:,} groups"
    progress.say(
        f"data       {len(manifest):,} pictures {apart}, {len(manifest.classes)} classes: {sizes}"
    )
    rarest = counts.loc[counts.sum(axis=1).sort_values(kind="stable").index[:_SHOWN_CLASSES]]
    shown = counts if len(counts) <= _SHOWN_CLASSES else rarest
    for line in shown.rename_axis(index=None, columns=None).to_string().splitlines():
        progress.say(f"           {line}")
    if len(counts) > _SHOWN_CLASSES:
        progress.say(f"           the rarest of {len(counts)}; all are in data/counts.csv")
