"""What an adapter and a reader promise: rows, classes, groups, pixels."""

from dataclasses import replace

import numpy as np

from transfer.images.pictures import Pixels
from transfer.promises.fresh import ask_pristine, heavy_on_reading
from transfer.promises.promise import KEPT, Finding, Promise, broken, kept_unless, moot
from transfer.promises.subject import Subject
from transfer.samples.inspection import no_numbers
from transfer.samples.split import assign_splits
from transfer.samples.target import occurrences

_IMAGE_AXES = 3
_SHOWN = 3


def reads_twice_alike(subject: Subject) -> Finding:
    """The data are read twice, and the digests of bytes, labels, groups and splits compared."""
    if subject.own and subject.task.write_samples is None:
        return broken("the task writes no samples, and there are no other data: give --data FOLDER")
    first, again = subject.seen.manifest, subject.inspected(subject.read()).manifest
    if subject.seen.broken:
        return broken(f"{subject.seen.broken[0].image!r} {subject.seen.broken[0].reason}")
    if first.classes != again.classes:
        return broken(f"classes {first.classes} were {again.classes} the second time")
    return kept_unless("" if first.digest() == again.digest() else "another digest")


def classes_cover_labels(subject: Subject) -> Finding:
    """The classes of the manifest are held against those that its rows have."""
    manifest = subject.manifest
    _, numbers = occurrences(manifest.targets)
    if len({*manifest.classes}) < len(manifest.classes):
        return broken(f"a class is there twice: {manifest.classes}")
    empty = [name for k, name in enumerate(manifest.classes) if k not in {*numbers.tolist()}]
    return kept_unless(f"no row is of class {', '.join(empty[:_SHOWN])}" if empty else "")


def groups_can_be_split(subject: Subject) -> Finding:
    """The rows are dealt to train, val and test, as a run does, by the task's own recipe."""
    dealt = assign_splits(subject.seen.manifest, subject.recipe.split)
    missing = [split for split in ("train", "val", "test") if not len(dealt.numbers(split))]
    return kept_unless(f"nothing was left for {' and '.join(missing)}" if missing else "")


def pixels_are_valid(subject: Subject) -> Finding:
    """Some pictures are read, and their shape, dtype and range looked at."""
    return next(filter(None, map(_invalid, map(subject.picture, subject.rows))), KEPT)


def pixels_repeat(subject: Subject) -> Finding:
    """Some pictures are read and framed twice, in another order and with other random seeds."""
    first = [subject.plain(row) for row in subject.rows]
    np.random.seed(1)  # noqa: NPY002  # a reader that draws from it is what is looked for
    again = [subject.plain(row) for row in reversed(subject.rows)]
    differ = [
        row.path.name
        for row, one, other in zip(subject.rows, first, reversed(again), strict=True)
        if not np.array_equal(one, other)
    ]
    return kept_unless(f"other pixels the second time: {', '.join(differ[:_SHOWN])}" * bool(differ))


def pixels_know_no_label(subject: Subject) -> Finding:
    """Some pictures are read again from rows without label, group and undeclared columns."""
    for row in subject.rows:
        known = {name: row.columns[name] for name in subject.task.reads if name in row.columns}
        bare = replace(row, label="", group="", columns=known)
        if not np.array_equal(subject.picture(row), subject.picture(bare)):
            return broken(f"{row.path.name!r} has other pixels without them")
    return KEPT


def reading_loads_little(subject: Subject) -> Finding:
    """Another process reads a picture, and is asked what it has loaded."""
    read = subject.task.reader(subject.recipe.task, subject.recipe.bands)
    heavy = ask_pristine(heavy_on_reading, read, subject.rows[0])
    return kept_unless(f"reading a picture loads {', '.join(heavy)}" if heavy else "")


def measures_numbers(subject: Subject) -> Finding:
    """Some rows are measured, and what comes of it is to be finite."""
    measure = subject.task.measure
    if measure is no_numbers:
        return moot("the task measures nothing")
    for row in subject.rows:
        numbers = measure(row, subject.picture(row))
        if not np.isfinite(list(numbers.values())).all():
            return broken(f"{row.path.name!r} was measured as {dict(numbers)!r}")
    return KEPT


def _invalid(pixels: Pixels) -> Finding | None:
    if not isinstance(pixels, np.ndarray) or pixels.ndim != _IMAGE_AXES:
        return broken(f"a picture is read as {getattr(pixels, 'shape', type(pixels).__name__)}")
    if pixels.dtype == np.uint8:
        return None
    if pixels.dtype != np.float32:
        return broken(f"a picture is read as {pixels.dtype}")
    low, high = float(pixels.min()), float(pixels.max())
    inside = 0 <= low <= high <= 1  # False of nan as well
    return None if inside else broken(f"a float32 picture goes from {low:g} to {high:g}")


PROMISES = (
    Promise(
        "reads-twice-alike",
        "The same files give the same rows: every file is readable, and the digest is the same.",
        "Sort every directory listing, draw nothing, and let labels, groups and splits come from "
        "files and names alone.",
        reads_twice_alike,
        ("loads",),
    ),
    Promise(
        "classes-cover-labels",
        "Labels and classes are the same names: none is unknown, none is without a row.",
        "Build the manifest with read_layout or Manifest.of_labels, which take the classes from "
        "the rows.",
        classes_cover_labels,
        ("reads-twice-alike",),
    ),
    Promise(
        "groups-can-be-split",
        "No group is so large, and no class so rare, that train, val and test cannot all be had.",
        "Make a group what is never to be divided and no more, such as one plant or one drive; "
        "samples need several groups of each class.",
        groups_can_be_split,
        ("reads-twice-alike", "classes-cover-labels"),
    ),
    Promise(
        "pixels-are-valid",
        "A picture is an array (H, W, C), uint8, or float32 from 0 to 1.",
        "Divide deeper pixels by the largest value that they can have, and return "
        "astype(numpy.float32); repeat or stack bands in the last axis.",
        pixels_are_valid,
        ("reads-twice-alike",),
    ),
    Promise(
        "pixels-repeat",
        "The plain view of a picture is the same whenever it is read.",
        "Draw nothing in read_image; what is random belongs into augment.",
        pixels_repeat,
        ("pixels-are-valid",),
    ),
    Promise(
        "pixels-know-no-label",
        "A picture is read without looking at its label, which new pictures do not have.",
        "Let read_image go by the file; free columns that it needs are named in Task(reads=...).",
        pixels_know_no_label,
        ("pixels-repeat",),
    ),
    Promise(
        "reading-loads-little",
        "A picture is read without torch, albumentations or other packages that take seconds.",
        "Import in read_image only what decodes; loader processes start faster and stay small.",
        reading_loads_little,
        ("imports-little", "pixels-are-valid"),
    ),
    Promise(
        "measures-numbers",
        "What it measures in a picture are finite numbers.",
        "Return float(...) for each name from Task.measure, and leave out what cannot be measured.",
        measures_numbers,
        ("pixels-are-valid",),
    ),
)
