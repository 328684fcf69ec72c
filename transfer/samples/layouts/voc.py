"""Pascal VOC: an XML file for each frame, beside the frames or in a folder of its own.

Everingham et al. 2010, The Pascal Visual Object Classes (VOC) Challenge,
doi:10.1007/s11263-009-0275-4.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from transfer.errors import ManifestError
from transfer.samples.layouts.elements import Element, read_elements
from transfer.samples.layouts.objects import (
    Annotations,
    Files,
    Object,
    make_box,
    read_lines,
    split_of_folders,
)
from transfer.samples.manifest import SPLIT_NAMES

_XML_FOLDERS = frozenset({"annotation", "annotations", "labels", "xml", "xmls"})
_PICTURE_FOLDERS = ("JPEGImages", "images", "Images", "image", "imgs", "img")
_COLUMNS = ("difficult", "truncated", "occluded")
_LOOKED_AT = 20
_START = 2**12  # bytes in which the outermost element of an annotation opens


def find_voc(files: Files) -> list[str]:
    """Return the XML files, if those looked at hold an annotation of VOC."""
    found = [name for name in files.names if name.lower().endswith(".xml")]
    found = [name for name in found if not name.lower().endswith(".aux.xml")]  # GDAL's notes
    looked_at = islice(found, _LOOKED_AT)
    return found if any(_opens_annotation(files, name) for name in looked_at) else []


def read_voc(files: Files, found: Sequence[str]) -> Annotations:
    """Return what the XML files say.

    Frames are looked for by the name of the XML file, then by its <filename>: beside it, and in
    JPEGImages or images in the place of its folder. VOC counts pixels from 1 and means the last one
    to be inside: left and top are lower by one here. Splits are those of ImageSets/Main, else those
    that folders name.
    """
    said = Annotations("Pascal VOC")
    splits = _image_sets(files, said)
    others = []
    for name in found:
        try:
            top = read_elements(files.root / name)
            if top.tag == "annotation":
                split = splits.pop(_stem(name), None) or split_of_folders(name)
                image = said.add_frame(_frame(files, name, top), split)
                said.objects += [_object(image, element) for element in top.all("object")]
            else:
                others.append(name)
        except ManifestError as error:
            said.mistakes.append(f"{name!r}, {error}")
    if others:
        said.notes.append(f"left aside {len(others):,} other XML file(s), first {others[0]!r}")
    if splits:
        said.notes.append(
            f"{len(splits):,} name(s) in ImageSets/Main have no annotation, first {min(splits)!r}"
        )
    return said


def _opens_annotation(files: Files, name: str) -> bool:
    try:
        with (files.root / name).open("rb") as file:
            return b"<annotation" in file.read(_START)
    except OSError:
        return False


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _frame(files: Files, name: str, top: Element) -> str:
    folder, _, stem = _stem(name).rpartition("/")
    said = [element.text.replace("\\", "/").rpartition("/")[2] for element in top.all("filename")]
    stems = [stem, *(_stem(text) or text for text in said)]
    places = list(_places(folder))
    image = files.picture(f"{place}{stem}" for stem in stems for place in places)
    if image is None:
        raise ManifestError(
            f"line {top.line}: no picture {stem!r}{f' or {said[0]!r}' if said else ''} in "
            f"{[place.rstrip('/') or '.' for place in places]}"
        )
    return image


def _places(folder: str) -> Iterator[str]:
    """Return where the frames of annotations in `folder` may lie, with a slash at the end."""
    yield f"{folder}/" if folder else ""
    parts = folder.split("/")
    for number, part in enumerate(parts):
        if part.lower() in _XML_FOLDERS:
            around, below = parts[:number], parts[number + 1 :]
            for other in (*_PICTURE_FOLDERS, ""):
                yield "".join(f"{part}/" for part in (*around, other, *below) if part)


def _object(image: str, element: Element) -> Object:
    label = element.child("name")
    if not label.text:
        raise ManifestError(f"line {label.line}: an object without a name")
    bounds = element.child("bndbox")
    edges = [bounds.child(edge) for edge in ("xmin", "ymin", "xmax", "ymax")]
    try:
        left, top, right, bottom = make_box([edge.text for edge in edges])
    except ManifestError as error:
        raise ManifestError(f"line {bounds.line}: {error}") from error
    box = make_box((max(0.0, left - 1), max(0.0, top - 1), right, bottom))
    columns = {tag: found[0].text if (found := element.all(tag)) else "" for tag in _COLUMNS}
    return Object(image, label.text, box, columns)


def _image_sets(files: Files, said: Annotations) -> dict[str, str]:
    """Return the split of annotations, by their path without suffix, as ImageSets/Main says."""
    splits: dict[str, str] = {}
    for name in files.names:
        folder, _, file = name.rpartition("/")
        split = SPLIT_NAMES.get(_stem(file).lower())
        if split is None or not f"/{folder}".endswith("/ImageSets/Main") or file[-4:] != ".txt":
            continue
        annotations = folder.removesuffix("ImageSets/Main") + "Annotations/"
        for number, line in enumerate(read_lines(files.root / name), 1):
            stem = annotations + (line.split() or [""])[0]
            if line.strip() and splits.setdefault(stem, split) != split:
                said.mistakes.append(
                    f"{name!r}, line {number}: {line.strip()!r} is in {splits[stem]!r} as well"
                )
    return splits
