"""COCO: one JSON file for many frames, with lists images, annotations and categories.

Lin et al. 2014, Microsoft COCO: Common Objects in Context, doi:10.1007/978-3-319-10602-1_48; the
fields are those of https://cocodataset.org/#format-data.
"""

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, TypeVar

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.objects import (
    CROWD,
    Annotations,
    Files,
    Object,
    make_box,
    split_of_folders,
)
from transfer.samples.manifest import SPLIT_NAMES

_LARGEST_GB = 2  # parsing takes several times as much memory; COCO's own have 0.5 GB
_LISTS = ("images", "annotations", "categories")
_Id = int | str
_T = TypeVar("_T")
_OPENS = [re.compile(rb'"%s"\s*:\s*\[' % key.encode()) for key in _LISTS]


def find_coco(files: Files) -> list[str]:
    """Return the JSON files that have the three lists, of COCO's own only those of instances."""
    found = [
        name
        for name in files.names
        if name.lower().endswith(".json") and _looks_like(files.root / name)
    ]
    instances = [name for name in found if name.rpartition("/")[2].startswith("instances_")]
    return instances or found


def read_coco(files: Files, found: Sequence[str]) -> Annotations:
    """Return what the JSON files say.

    Frames are looked for beside the JSON file and beside its folder: there, in a folder images, and
    in one named as the file (train2017). The split is that in the name of the file, else of a
    folder. A box around a group has iscrowd = 1.
    """
    said = Annotations("COCO")
    for name in found:
        try:
            _read_file(files, name, said)
        except ManifestError as error:
            said.mistakes.append(f"{name!r}: {error}")
    folders = {name.rpartition("/")[0] for name in found}
    others = [
        name
        for name in files.names
        if name.endswith(".json") and name not in found and name.rpartition("/")[0] in folders
    ]
    if others:
        said.notes.append(f"left aside {len(others):,} other JSON file(s), first {others[0]!r}")
    return said


def _looks_like(path: Path) -> bool:
    # Searching is far cheaper than parsing, and other JSON may well have a list of images.
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return all(opens.search(content) for opens in _OPENS)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def _read_file(files: Files, name: str, said: Annotations) -> None:
    lists = _parse(files.root / name)

    def gather(key: str, read: Callable[[Mapping[str, Any]], _T]) -> list[_T]:
        return list(_gather(name, key, lists[key], read, said.mistakes))

    names = dict(gather("categories", lambda record: (_id(record, "id"), _text(record, "name"))))
    frames = dict(gather("images", lambda record: (_id(record, "id"), _text(record, "file_name"))))
    images = _find_frames(files, name, frames)
    for image in images.values():
        said.add_frame(image, _split(name))
    said.objects += gather("annotations", lambda record: _object(record, images, names))


def _find_frames(files: Files, name: str, frames: Mapping[_Id, str]) -> dict[_Id, str]:
    """Return the POSIX path of each frame, from the folder that holds most of them."""

    def there(place: str) -> dict[_Id, str]:
        paths = {key: posixpath.normpath(f"{place}/{file}") for key, file in frames.items()}
        return {key: path for key, path in paths.items() if path in files.known}

    places = list(_places(name))
    found = max(map(there, places), key=len)
    if missing := [file for key, file in frames.items() if key not in found]:
        raise ManifestError(
            f"{len(missing):,} of {len(frames):,} pictures are not below {str(files.root)!r}, "
            f"first {missing[0]!r}; looked in {places}. Give the other JSON file alone, if the "
            "pictures of this one are not here"
        )
    return found


def _places(name: str) -> Iterator[str]:
    """Return the folders in which the frames of a JSON file may lie, the nearest first."""
    folder, _, file = name.rpartition("/")
    own = file.rpartition(".")[0].rpartition("_")[2]
    for base in dict.fromkeys((folder or ".", folder.rpartition("/")[0] or ".")):
        for inner in ("", "/images", f"/{own}", f"/images/{own}"):
            yield posixpath.normpath(base + inner)


def _parse(path: Path) -> Mapping[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        if path.stat().st_size > _LARGEST_GB * 10**9:
            raise ManifestError(f"has more than {_LARGEST_GB} GB; divide it")
        content = json.loads(path.read_bytes(), parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ManifestError(f"line {error.lineno}: {error.msg}") from error
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"cannot be read: {error}") from error
    lists = content if isinstance(content, dict) else {}
    if missing := [key for key in _LISTS if not isinstance(lists.get(key), list)]:
        raise ManifestError(f"has no list(s) {missing}; move it away if it describes no boxes")
    return lists


def _gather(
    name: str,
    key: str,
    records: Sequence[Any],
    read: Callable[[Mapping[str, Any]], _T],
    mistakes: list[str],
) -> Iterator[_T]:
    """Return what is read of the records of a list; what is wrong becomes a mistake."""
    for index, record in enumerate(records):
        try:
            yield read(record if isinstance(record, dict) else {})
        except ManifestError as error:
            known = record.get("id") if isinstance(record, dict) else None
            of = "" if known is None else f" (id {known})"
            mistakes.append(f"{name!r}, {key}[{index}]{of}: {error}")


def _id(record: Mapping[str, Any], key: str) -> _Id:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ManifestError(f"{key} is {value!r}, no number")
    return value


def _text(record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ManifestError(f"{key} is {value!r}, no text")
    return value.strip().replace("\\", "/")


def _object(
    record: Mapping[str, Any], images: Mapping[_Id, str], names: Mapping[_Id, str]
) -> Object:
    image, category = _id(record, "image_id"), _id(record, "category_id")
    if image not in images:
        raise ManifestError(f"image_id {image!r} is none of the images")
    if category not in names:
        raise ManifestError(f"category_id {category!r} is none of {sorted(map(str, names))}")
    box = _box(record.get("bbox"))
    return Object(images[image], names[category], box, {CROWD: int(record.get(CROWD) == 1)})


def _box(bounds: object) -> Box:
    """Return the box of left, top, width and height, px."""
    try:
        left, top, width, height = map(float, bounds)  # type: ignore[call-overload]  # others are refused
    except (TypeError, ValueError) as error:
        raise ManifestError(f"bbox is {bounds!r}, no four numbers") from error
    return make_box((left, top, left + width, top + height))


def _split(name: str) -> str:
    words = re.findall("[a-z]+", name.rpartition("/")[2].lower())
    return next(
        (SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), split_of_folders(name)
    )
