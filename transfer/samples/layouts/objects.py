"""From objects in frames to a manifest: one row for each object, whatever file described it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, NoReturn

import pandas as pd

from transfer.errors import DataNotFoundError, ManifestError
from transfer.images.crop import Box
from transfer.images.pictures import PICTURE_SUFFIXES
from transfer.samples.layouts.folder import suffix_of
from transfer.samples.layouts.listing import Listing, list_files
from transfer.samples.manifest import SPLIT_NAMES, Manifest
from transfer.samples.target import CODES, Labelling
from transfer.settings import ObjectSettings

_SHOWN = 5
_EDGES = 4
_DECIMALS = 3  # of px: 298.28999999999996 is what 240.54 + 57.75 comes to
CROWD = "iscrowd"
"""Column of 1 where a box surrounds a whole group."""


@dataclass(frozen=True)
class Files:
    """The visible files below a folder.

    Attributes:
        root: the folder.
        names: POSIX paths below it, sorted.
    """

    root: Path
    names: Sequence[str]

    @classmethod
    def below(cls, root: Path) -> "Files":
        """List what stands below `root`.

        Raises:
            DataNotFoundError, ManifestError: see `list_files`.
        """
        return cls(root, list_files(Listing(root)))

    @cached_property
    def known(self) -> frozenset[str]:
        """The names, to be asked for one."""
        return frozenset(self.names)

    @cached_property
    def pictures(self) -> dict[str, list[str]]:
        """Pictures by their path without suffix; there may be several of one stem."""
        found: dict[str, list[str]] = {}
        for name in self.names:
            if suffix_of(name) in PICTURE_SUFFIXES:
                found.setdefault(name.rpartition(".")[0], []).append(name)
        return found

    def picture(self, stems: Iterable[str]) -> str | None:
        """Return the picture of the first of the paths without suffix that has one.

        Raises:
            ManifestError: there are two of the same stem.
        """
        found = next((self.pictures[stem] for stem in stems if stem in self.pictures), [])
        if len(found) > 1:
            raise ManifestError(f"{found} differ in their suffix only; which is meant?")
        return found[0] if found else None


class Object(NamedTuple):
    """One object in a frame.

    Attributes:
        image: POSIX path of the frame below the root.
        label: class name.
        box: its edges.
        columns: what else is said of it (difficult, truncated, occluded, iscrowd).
    """

    image: str
    label: str
    box: Box
    columns: Mapping[str, object]


@dataclass
class Annotations:
    """What the annotations of a data set say, gathered file by file.

    Attributes:
        layout: name of the layout, for messages.
        splits: split of each frame that is described, objects or none; "" where none is given.
        objects: of all frames.
        mistakes: what is wrong, one line for each, with file and line.
        notes: what was left aside.
    """

    layout: str
    splits: dict[str, str] = field(default_factory=dict)
    objects: list[Object] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add_frame(self, image: str, split: str) -> str:
        """Take note of a frame that is described, and return it.

        Raises:
            ManifestError: it was described before.
        """
        if image in self.splits:
            raise ManifestError(f"{image!r} is described twice, here or in another file")
        self.splits[image] = split
        return image

    def manifest(self, files: Files, labelling: Labelling, settings: ObjectSettings) -> Manifest:
        """Return one row for each object; the frame is its group, so that none is divided.

        Raises:
            ManifestError: there are mistakes, a target of several labels, or too few classes.
            DataNotFoundError: nothing is left.
        """
        if self.mistakes:
            self._refuse(files.root)
        if CODES[labelling.kind].several:
            raise ManifestError(
                f"{str(files.root)!r} holds {self.layout} boxes, where an object has one class; "
                f"leave the target at 'single_label', it is {labelling.kind.value!r}"
            )
        kept = [thing for thing in self.objects if _is_kept(thing, settings)]
        notes = (*self.notes, *self._notes(files, settings))
        if not kept:
            raise DataNotFoundError(
                f"no object is left of {str(files.root)!r} ({self.layout}, {len(self.splits):,} "
                f"frames): {'; '.join(notes) or 'its annotations name none'}"
            )
        boxes: list[Any] = [thing.box for thing in kept]  # cells that are tuples
        rows = pd.DataFrame([thing.columns for thing in kept], index=range(len(kept)))
        rows = rows.assign(
            image=[thing.image for thing in kept],
            label=[thing.label for thing in kept],
            box=boxes,
            group=[thing.image for thing in kept],
            split=[self.splits[thing.image] for thing in kept],
        )
        return Manifest.of_labels(files.root, rows, notes, labelling)

    def _refuse(self, root: Path) -> NoReturn:
        more = len(self.mistakes) - _SHOWN
        shown = [*self.mistakes[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])]
        raise ManifestError(f"{self.layout} in {str(root)!r}\n  " + "\n  ".join(shown))

    def _notes(self, files: Files, settings: ObjectSettings) -> list[str]:
        notes = []
        if crowds := sum(not settings.crowds and _is_crowd(thing) for thing in self.objects):
            notes.append(
                f"left out {crowds:,} box(es) around whole groups (iscrowd); task.crowds=true "
                "takes them"
            )
        if small := sum(_is_small(thing, settings) for thing in self.objects):
            notes.append(
                f"left out {small:,} of {len(self.objects):,} objects whose box has a side under "
                f"{settings.min_size:g} px; task.min_size says how small is too small"
            )
        without = len(self.splits) - len({thing.image for thing in self.objects})
        if without:
            notes.append(f"no object in {without:,} of {len(self.splits):,} annotated frames")
        folders = {image.rpartition("/")[0] for image in self.splits}
        bare = [
            picture
            for pictures in files.pictures.values()
            for picture in pictures
            if picture not in self.splits and picture.rpartition("/")[0] in folders
        ]
        if bare:
            notes.append(
                f"left aside {len(bare):,} picture(s) without annotation, first {bare[0]!r}"
            )
        return notes


def make_box(edges: Sequence[object]) -> Box:
    """Return the box with these edges: left, top, right, bottom, px.

    A box of no width or height is one: it is small.

    Raises:
        ManifestError: they are no four numbers, or in the wrong order.
    """
    try:
        numbers = [round(float(edge), _DECIMALS) for edge in edges]  # type: ignore[arg-type]  # any other is refused
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != _EDGES or not all(map(math.isfinite, numbers)):
        raise ManifestError(f"the box {list(edges)} is no four numbers")
    box = Box(*numbers)
    if box.shorter_side < 0:
        raise ManifestError(
            f"the box {box} has its left edge right of its right one, or its top below its bottom"
        )
    return box


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        ManifestError: it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"cannot be read: {error}") from error


def split_of_folders(name: str) -> str:
    """Return the split that a folder of a POSIX path names, the innermost first, "" if none."""
    splits = (SPLIT_NAMES.get(part.lower(), "") for part in PurePosixPath(name).parts[-2::-1])
    return next(filter(None, splits), "")


def _is_crowd(thing: Object) -> bool:
    return thing.columns.get(CROWD) == 1


def _is_small(thing: Object, settings: ObjectSettings) -> bool:
    side = thing.box.shorter_side
    taken = settings.crowds or not _is_crowd(thing)
    return taken and (side < settings.min_size or side == 0)


def _is_kept(thing: Object, settings: ObjectSettings) -> bool:
    return not _is_small(thing, settings) and (settings.crowds or not _is_crowd(thing))
