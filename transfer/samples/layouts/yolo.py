"""YOLO: a text file for each frame, labels/x.txt for images/x.jpg; a data.yaml names the classes.

The format is that of https://docs.ultralytics.com/datasets/detect.
"""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer.errors import ImageError, ManifestError
from transfer.images.crop import Box, upright_size
from transfer.samples.layouts.objects import Annotations, Files, Object, make_box, read_lines
from transfer.samples.manifest import SPLIT_NAMES

_FIELDS = 5
_ROUNDING = 0.01  # what boxes may reach beyond the picture, as a share of it, by rounding
_LARGEST_MB = 1
_KEYS = [re.compile(rf"^{keys}\s*:", re.MULTILINE) for keys in ("names", "(train|val|test)")]


def find_yolo(files: Files) -> list[str]:
    """Return the YAML files directly in the folder that name classes and pictures."""
    return [
        name
        for name in files.names
        if "/" not in name
        and name.lower().endswith((".yaml", ".yml"))
        and all(key.search(_text(files.root / name)) for key in _KEYS)
    ]


def read_yolo(files: Files, found: Sequence[str]) -> Annotations:
    """Return what the label files of the data sets say that the YAML files describe.

    Paths in a YAML file count from its `path`, where that is a folder below its own, else from its
    own folder. A frame without a label file shows no object.
    """
    said = Annotations("YOLO")
    for name in found:
        try:
            about = _parse(files.root / name)
            classes = _classes(about)
            said.splits |= _frames(files, about, said)
        except ManifestError as error:
            said.mistakes.append(f"{name!r}: {error}")
            continue
        labels = {_labels(image): image for image in said.splits}
        for file in filter(files.known.__contains__, labels):
            _read_labels(files.root, labels[file], file, classes, said)
        said.mistakes += _without_picture(files, labels.keys())
    return said


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LARGEST_MB * 2**20)
    except (OSError, UnicodeDecodeError):
        return ""


def _parse(path: Path) -> Mapping[str, Any]:
    import yaml  # noqa: PLC0415  # few data sets need it

    try:
        content = yaml.safe_load(_text(path))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ManifestError(f"{line}{error.problem}") from error
    except yaml.YAMLError as error:
        raise ManifestError(f"is no YAML: {error}") from error
    if not isinstance(content, dict):
        raise ManifestError("is no mapping")
    return content


def _classes(about: Mapping[str, Any]) -> dict[int, str]:
    names = about.get("names")
    pairs = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(pairs, dict) or not all(isinstance(number, int) for number in pairs):
        raise ManifestError("names is neither a list of names nor a mapping of numbers to names")
    return {number: str(name) for number, name in pairs.items()}


def _frames(files: Files, about: Mapping[str, Any], said: Annotations) -> dict[str, str]:
    """Return the split of each frame."""
    splits: dict[str, str] = {}
    pictures = [picture for found in files.pictures.values() for picture in found]
    base = posixpath.normpath(str(about.get("path") or "."))
    bases = [base, "."] if any(name.startswith(f"{base}/") for name in files.names) else ["."]
    twice = 0
    for key, split in SPLIT_NAMES.items():
        entries = about.get(key) or []
        for entry in entries if isinstance(entries, list) else [entries]:
            images = _listed(files, bases, str(entry), pictures)
            if not images:
                raise ManifestError(f"no picture in {key}: {entry!r}")
            twice += len(splits.keys() & images)
            splits |= {image: split for image in images if image not in splits}
    if not splits:
        raise ManifestError(f"names no folder of pictures; it has {sorted(map(str, about))}")
    if twice:
        said.notes.append(f"{twice:,} picture(s) are named in two splits; the first holds")
    return splits


def _listed(files: Files, bases: Sequence[str], entry: str, pictures: Sequence[str]) -> list[str]:
    """Return the pictures of an entry: those below a folder, or in the lines of a text file."""
    # Exports say ../train/images beside train/: from where that counts is nowhere said.
    entry = re.sub(r"^(\.\./)+", "", entry.replace("\\", "/"))
    for base in bases:
        place = posixpath.normpath(posixpath.join(base, entry))
        if place in files.known and place.endswith(".txt"):
            return list(_lines(files.root / place, base, frozenset(pictures)))
        if images := [name for name in pictures if name.startswith(f"{place}/") or place == "."]:
            return images
    return []


def _lines(path: Path, base: str, pictures: frozenset[str]) -> Iterator[str]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            image = posixpath.normpath(posixpath.join(base, line.strip()))
            if image not in pictures:
                raise ManifestError(f"{path.name!r}, line {number}: no picture {line.strip()!r}")
            yield image


def _labels(image: str) -> str:
    """Return where the labels of a picture are: labels in the place of the last folder images."""
    stem = f"/{image}".rpartition(".")[0]
    before, images, after = stem.rpartition("/images/")
    return (f"{before}/labels/{after}" if images else stem)[1:] + ".txt"


def _without_picture(files: Files, claimed: Collection[str]) -> list[str]:
    folders = {file.rpartition("/")[0] for file in claimed}
    return [
        f"{name!r}: no picture for it in the folder images"
        for name in files.names
        if name.endswith(".txt")
        and (folder := name.rpartition("/")[0]) in folders
        and "labels" in folder.split("/")
        and name not in claimed
        and not name.endswith("/classes.txt")
    ]


def _read_labels(
    root: Path, image: str, labels: str, classes: Mapping[int, str], said: Annotations
) -> None:
    try:
        numbered = enumerate(read_lines(root / labels), 1)
        lines = [(number, line) for number, line in numbered if line.strip()]
    except ManifestError as error:
        said.mistakes.append(f"{labels!r}: {error}")
        return
    if not lines:
        return
    try:
        size = upright_size(root / image)
    except ImageError as error:
        said.notes.append(f"left out {len(lines):,} object(s): {error}")
        return
    for number, line in lines:
        try:
            said.objects.append(_object(image, line.split(), classes, size))
        except ManifestError as error:
            said.mistakes.append(f"{labels!r}, line {number}: {error}")


def _object(
    image: str, fields: Sequence[str], classes: Mapping[int, str], size: tuple[int, int]
) -> Object:
    if len(fields) != _FIELDS:
        raise ManifestError(
            f"{len(fields)} fields, not {_FIELDS}: class, and centre, width and height of a box"
        )
    if not fields[0].isdecimal() or int(fields[0]) not in classes:
        raise ManifestError(f"class {fields[0]!r} is none of the {len(classes)} that are named")
    return Object(image, classes[int(fields[0])], _box(fields[1:], size), {})


def _box(fields: Sequence[str], size: tuple[int, int]) -> Box:
    try:
        numbers = [float(field) for field in fields]
    except ValueError as error:
        raise ManifestError(f"{list(fields)} are no four numbers") from error
    if not all(-_ROUNDING <= number <= 1 + _ROUNDING for number in numbers):
        raise ManifestError(f"{list(fields)} are no shares of the picture's sides, 0 to 1")
    x, y, wide, high = (number * side for number, side in zip(numbers, size * 2, strict=True))
    edges = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
    return make_box(edges)
