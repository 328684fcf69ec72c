"""One audit, top to bottom: from a folder to what is wrong with it; nothing is trained."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from transfer.auditing.facts import FileFacts, can_be_held_out, read_facts, shortcut
from transfer.auditing.found import Audit, Copies, Doubt, Member, Understood
from transfer.auditing.labels import Eyes, held_out_probabilities, likely_errors
from transfer.auditing.near import Near, near_duplicates
from transfer.auditing.sketches import SIDE_PX, sketch
from transfer.cache.scratch import scratch
from transfer.network.pretrained import FindModel, choose_weights
from transfer.overlay import Layer, settle
from transfer.plan import Plan, pixel_store, read_rows
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.samples.inspection import Inspected
from transfer.samples.leaks import find_contradictions, find_leaks
from transfer.samples.manifest import SPLITS, Manifest
from transfer.samples.side_by_side import side_by_side
from transfer.samples.ties import connected, merge_tied, ties

_AT_ONCE = 64


@dataclass(frozen=True)
class Audited:
    """An audit, and what it was made from.

    Attributes:
        found: what there is to say.
        manifest: the readable rows, splits as given.
        eyes: reads their pictures.
    """

    found: Audit
    manifest: Manifest
    eyes: Eyes


def audit(  # what, how, and who hears of it
    task: Task,
    data: Path,
    layers: Sequence[Layer],
    *,
    find_model: FindModel,
    progress: Progress,
    with_network: bool = True,
) -> Audited:
    """Look for what would make scores of `data` look better than they are, or worse.

    Args:
        task: whose data these are.
        data: a folder or a table.
        layers: changes over the task's recipe; size, framing and backbone count.
        find_model: run -> folder of its model, for weights that come from a run.
        progress: told of everything that takes time.
        with_network: look for likely label errors as well, by features of a frozen network.

    Raises:
        RecipeError, WeightsError, DataNotFoundError, ManifestError: with what to do.
    """
    settled = choose_weights(settle(task.defaults(), layers), find_model)
    recipe = settled.recipe
    if task.check is not None:
        task.check(recipe)
    inspected = read_rows(task, recipe, data, progress, pixel_store(recipe, progress))
    manifest, seed = inspected.manifest, recipe.split.seed
    plan = Plan(task, settled, data, manifest, inspected.broken, "audit", inspected.side_px)
    eyes = Eyes(plan, find_model, progress)
    sketches = _sketches(eyes, len(manifest), progress)
    facts = _facts(manifest, inspected.side_px, progress)
    near = _near(manifest, sketches, seed, progress)
    members = _members(manifest)
    judged = _Judged(manifest)
    told = judged.note if not judged.can_be_judged else ""
    doubts, probe_score = None, None
    if judged.can_be_judged and with_network:
        doubts, probe_score = _doubts(eyes, judged, members, seed)
    brightness = sketches.reshape(len(manifest), -1).mean(axis=1, dtype=np.float64)
    found = Audit(
        understood=_understood(task, data, inspected, facts),
        leaks=find_leaks(manifest),
        equals=_equals(manifest, members),
        contradictions=find_contradictions(manifest),
        copies=tuple(
            Copies(members[first], members[second], agreement, mirrored)
            for first, second, agreement, mirrored in near.pairs
        ),
        threshold=near.threshold,
        unrelated=near.unrelated,
        groups=_with_equals(near, manifest),
        shortcut=shortcut(facts, brightness, judged.labels, judged.groups, seed)
        if judged.can_be_judged
        else None,
        doubts=doubts,
        probe_score=probe_score,
        notes=(told,) if told else (),
    )
    return Audited(found, manifest, eyes)


class _Judged:
    """The labels of rows as one number each, and the groups that folds must keep whole."""

    def __init__(self, manifest: Manifest) -> None:
        names = manifest.rows["label"]
        self.classes = tuple(sorted(set(names)))
        number_of = {name: number for number, name in enumerate(self.classes)}
        self.labels = names.map(number_of).to_numpy(np.int64)
        # Copies across folds would confirm each other's label errors.
        self.groups = merge_tied(manifest).group_numbers()
        several = manifest.targets.ndim > 1
        self.note = (
            "shortcuts and label errors are looked for where each row has one label"
            if several
            else "shortcuts and label errors take two groups or more of each class"
        )
        self.can_be_judged = not several and can_be_held_out(self.labels, self.groups)


def _sketches(eyes: Eyes, rows: int, progress: Progress) -> NDArray[np.uint8]:
    """Return the sketches of all rows (N, 64, 64); those of a large set are mapped from a file."""
    # Four grey levels in the place of one float32.
    sketches = scratch((rows, SIDE_PX * SIDE_PX // 4)).view(np.uint8).reshape(rows, SIDE_PX, -1)

    def draw(numbers: range) -> int:
        for number in numbers:
            sketches[number] = sketch(eyes.pictures[number])
        return len(numbers)

    parts = [range(start, min(start + _AT_ONCE, rows)) for start in range(0, rows, _AT_ONCE)]
    with progress.step("sketching", rows, "images") as step:
        for count in side_by_side(draw, parts):
            step.advance(count)
    return sketches


def _facts(manifest: Manifest, side_px: int, progress: Progress) -> list[FileFacts]:
    rows, facts = manifest.all_rows(), list[FileFacts]()
    with progress.step("reading facts", len(rows), "files") as step:
        for found in side_by_side(lambda row: read_facts(row, (side_px, side_px)), rows):
            facts.append(found)
            step.advance()
    return facts


def _near(manifest: Manifest, sketches: NDArray[np.uint8], seed: int, progress: Progress) -> Near:
    """Return the near-duplicates by row number; of equal pictures the first row stands for all."""
    _, first = np.unique(manifest.rows["pixels"].to_numpy(dtype=np.str_), return_index=True)
    first = np.sort(first)
    near = near_duplicates(sketches[first], seed, progress)
    pairs = tuple(
        pair._replace(first=int(first[pair.first]), second=int(first[pair.second]))
        for pair in near.pairs
    )
    return Near(pairs, near.threshold, near.unrelated)


def _with_equals(near: Near, manifest: Manifest) -> tuple[tuple[int, ...], ...]:
    """Return the rows that near-duplicates connect, and rows equal to those."""
    if not near.pairs:
        return ()
    copies = np.arange(len(manifest))
    for number, members in enumerate(near.groups(len(manifest))):
        copies[members] = len(manifest) + number
    by_copies = np.unique(copies, return_inverse=True)[1].astype(np.int64)
    whole = connected([by_copies, *ties(manifest)[1:]])
    kept = set(whole[[pair.first for pair in near.pairs]].tolist())
    groups: dict[int, list[int]] = {}
    for row, number in enumerate(whole.tolist()):
        if number in kept:
            groups.setdefault(number, []).append(row)
    return tuple(tuple(members) for members in groups.values())


def _members(manifest: Manifest) -> list[Member]:
    columns = (manifest.rows[name].tolist() for name in ("image", "label", "split"))
    return [Member(number, *cells) for number, cells in enumerate(zip(*columns, strict=True))]


def _equals(manifest: Manifest, members: Sequence[Member]) -> tuple[tuple[Member, ...], ...]:
    groups: dict[str, list[Member]] = {}
    for member, pixels in zip(members, manifest.rows["pixels"].tolist(), strict=True):
        groups.setdefault(pixels, []).append(member)
    return tuple(tuple(rows) for rows in groups.values() if len(rows) > 1)


def _doubts(
    eyes: Eyes, judged: _Judged, members: Sequence[Member], seed: int
) -> tuple[tuple[Doubt, ...], float]:
    """Return likely label errors, and the balanced accuracy of the probes that say so."""
    said = held_out_probabilities(eyes.features(), judged.labels, judged.groups, seed)
    doubts = tuple(
        Doubt(members[row], judged.classes[best], float(said[row, best]))
        for row, best in likely_errors(said, judged.labels)
    )
    return doubts, float(balanced_accuracy_score(judged.labels, said.argmax(axis=1)))


def _understood(
    task: Task, data: Path, inspected: Inspected, facts: Sequence[FileFacts]
) -> Understood:
    manifest = inspected.manifest
    groups = Counter(manifest.group_numbers().tolist())
    in_split = Counter(manifest.rows["split"].tolist())
    sizes = sorted(((each.width, each.height) for each in facts), key=math.prod)
    return Understood(
        task=task.name,
        data=str(data),
        target=manifest.target.value,
        rows=len(manifest),
        groups=len(groups),
        alone=sum(count == 1 for count in groups.values()),
        classes=dict(Counter(manifest.rows["label"].tolist()).most_common()),
        splits={name: in_split[name] for name in (*SPLITS, "") if in_split[name]},
        formats=dict(Counter(f"{each.format} {each.mode}".strip() for each in facts).most_common()),
        smallest=sizes[0],
        median=sizes[len(sizes) // 2],
        largest=sizes[-1],
        left_out=tuple((image, why) for image, why in inspected.broken),
        notes=manifest.notes,
    )
