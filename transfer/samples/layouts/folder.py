"""Class folders: class/picture, or train/ val/ test/ with class folders inside."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from transfer.errors import DataNotFoundError, ManifestError
from transfer.images.pictures import PICTURE_SUFFIXES, starts_as_dicom
from transfer.samples.layouts.listing import Listing, list_files
from transfer.samples.manifest import SPLIT_NAMES, Manifest
from transfer.samples.target import CODES, SINGLE_LABEL, Labelling

_DICOM_INDEX = "DICOMDIR"  # lies beside the files of a disc, and holds no picture


@dataclass(frozen=True)
class Folder:
    """Files that lie together.

    Attributes:
        name: POSIX path below the root, "" for the root.
        files: POSIX paths below the root, sorted.
        label: class of the pictures, "" where the folder is none.
        split: split of the pictures, "" where no folder says so.
        root: what the paths start from.
    """

    name: str
    files: list[str]
    label: str = ""
    split: str = ""
    root: Path = Path()

    @cached_property
    def pictures(self) -> list[str]:
        """The files that are pictures by their suffix; all, if all are DICOM by what is in them.

        Scanners and archives call those files IM000001, or by a UID.
        """
        pictures = [file for file in self.files if suffix_of(file) in PICTURE_SUFFIXES]
        if pictures:
            return pictures
        others = [file for file in self.files if not file.endswith(_DICOM_INDEX)]
        return others if all(starts_as_dicom(self.root / file) for file in others) else []


@dataclass(frozen=True)
class ClassFolders:
    """What stands below a folder when it is read as class folders.

    Attributes:
        root: the folder.
        classes: the folders that name a class, with everything below them.
        beside: the folders around those, with what lies directly in them.
    """

    root: Path
    classes: list[Folder]
    beside: list[Folder]

    def labels(self) -> set[str]:
        """Return the classes that have pictures."""
        return {folder.label for folder in self.classes if folder.pictures}

    def manifest(self, labelling: Labelling = SINGLE_LABEL) -> Manifest:
        """Return the pictures as a manifest.

        Raises:
            DataNotFoundError: there is no class folder with pictures in it.
            ManifestError: there is one class only, or a picture should have several.
        """
        if CODES[labelling.kind].several:
            raise ManifestError(
                f"{str(self.root)!r} holds class folders, where a picture has one label; for "
                f"a target that is {labelling.kind.value!r} write a table with columns image and "
                "label (a|b), or leave the target at 'single_label'"
            )
        found = [
            (image, folder.label, folder.split)
            for folder in self.classes
            for image in folder.pictures
        ]
        if not found:
            raise DataNotFoundError(f"no class folder with pictures in {str(self.root)!r}")
        if len(self.labels()) == 1:
            self._look_further_down(*found[0])
        rows = pd.DataFrame(found, columns=["image", "label", "split"])
        return Manifest.of_labels(self.root, rows, self._notes(), labelling)

    def _look_further_down(self, image: str, label: str, split: str) -> None:
        depth = 2 if split else 1
        deeper = [file.split("/") for folder in self.classes for file in folder.pictures]
        inner = sorted({parts[depth] for parts in deeper if len(parts) > depth + 1})
        if len(inner) > 1:
            better = self.root / PurePosixPath(*image.split("/")[:depth])
            raise ManifestError(
                f"{str(self.root)!r} holds one class folder, {label!r}, with {len(inner)} folders "
                f"in it: {inner[:5]}; if those are the classes, give {str(better)!r}"
            )

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"left aside {len(pictures):,} picture(s) directly in "
            f"{str(self.root / folder.name)!r}: no class folder"
            for folder in self.beside
            if (pictures := folder.pictures)
        ]
        if others := _no_pictures((*self.classes, *self.beside)):
            notes.append(f"left aside {others}")
        if bare := [folder.name for folder in self.classes if not folder.pictures]:
            notes.append(f"no pictures in {len(bare)} class folder(s), first {bare[0]!r}")
        return tuple(notes)


def read_folders(root: Path, labelling: Labelling = SINGLE_LABEL) -> Manifest:
    """Return the pictures below `root`, each labelled by the class folder it lies in.

    Classes may have folders of their own inside. Hidden files are ignored; files that are no
    pictures are left aside, which the notes of the manifest tell.

    Raises:
        DataNotFoundError: there is no class folder with pictures in it, or it cannot be listed.
        ManifestError: there is one class only, or a name is not valid UTF-8.
    """
    return list_class_folders(Listing(root)).manifest(labelling)


def list_class_folders(listing: Listing) -> ClassFolders:
    """Return what stands below a folder as class folders.

    Files are opened only where none is a picture by its suffix.

    Folders are splits where all are named as splits, or where one is named train and holds folders
    but no pictures: a class may be called train beside a class called bus.

    Raises:
        DataNotFoundError: a folder cannot be listed.
        ManifestError: a name is not valid UTF-8, or a folder beside the splits holds pictures.
    """
    root = listing.root
    names, files = listing.inside("")
    inside = {name: listing.inside(f"{name}/") for name in names}
    around = [Folder("", files, root=root)]
    if not _are_splits(root, inside):
        return ClassFolders(root, [_class_folder(listing, name) for name in names], around)
    classes = []
    for name, (labels, files) in inside.items():
        if split := SPLIT_NAMES.get(name.lower()):
            around.append(Folder(name, files, root=root))
            classes += [_class_folder(listing, f"{name}/{label}", split) for label in labels]
        elif pictures := _class_folder(listing, name).pictures:
            raise ManifestError(
                f"{str(root)!r} holds split folders, and beside them {name!r} with "
                f"{len(pictures)} picture(s); move it away, or name it one of {list(SPLIT_NAMES)}"
            )
    return ClassFolders(root, classes, around)


def list_pictures(
    places: Sequence[Path], warn: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Return files as they are given, and in place of a folder the pictures below it, sorted.

    Args:
        places: files of any kind, and folders.
        warn: told of files in the folders that are left aside.

    Raises:
        DataNotFoundError: a place does not exist, or no picture is found.
    """
    if missing := [str(place) for place in places if not place.exists()]:
        raise DataNotFoundError(f"no such file or folder: {', '.join(map(repr, missing[:5]))}")
    folders = {
        place: Folder("", list_files(Listing(place)), root=place)
        for place in places
        if place.is_dir()
    }
    found: list[Path] = []
    for place in places:
        inside = folders.get(place)
        found += [place / name for name in inside.pictures] if inside else [place]
    others = _no_pictures(folders.values())
    advice = "files that are named themselves are read whatever they are called"
    if not found:
        where = ", ".join(repr(str(place)) for place in places)
        aside = f", but {others}; {advice}" if others else ""
        raise DataNotFoundError(f"no pictures below {where}{aside}")
    if others:
        warn(f"left aside {others}; {advice}")
    return found


def _no_pictures(folders: Iterable[Folder]) -> str:
    """Say how many files in the folders are no pictures, and of which kinds; "" of none."""
    others: Counter[str] = Counter()
    for folder in folders:
        shown = {*folder.pictures}
        others.update(suffix_of(file) for file in folder.files if file not in shown)
    if not others:
        return ""
    kinds = ", ".join(suffix or "no suffix" for suffix, _ in others.most_common(5))
    return f"{others.total():,} file(s) that are no pictures ({kinds})"


def _are_splits(root: Path, inside: dict[str, tuple[list[str], list[str]]]) -> bool:
    splits = {name: SPLIT_NAMES.get(name.lower()) for name in inside}
    return bool(splits) and (
        all(splits.values())
        or any(
            split == "train"
            and inside[name][0]
            and not Folder(name, inside[name][1], root=root).pictures
            for name, split in splits.items()
        )
    )


def _class_folder(listing: Listing, name: str, split: str = "") -> Folder:
    files = list_files(listing, f"{name}/")
    return Folder(name, files, name.rpartition("/")[2], split, listing.root)


def suffix_of(file: str) -> str:
    """Return the suffix of a POSIX path in lower case, with its dot; "" where there is none."""
    stem, dot, suffix = file.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and stem else ""
