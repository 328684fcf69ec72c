"""Find out which standard layout a folder has, or say what was found instead."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.coco import find_coco, read_coco
from transfer.samples.layouts.folder import ClassFolders, list_class_folders
from transfer.samples.layouts.kitti import find_kitti, read_kitti
from transfer.samples.layouts.listing import Listing, list_files
from transfer.samples.layouts.objects import Annotations, Files
from transfer.samples.layouts.parquet import find_parquet, holds_pictures, read_parquet
from transfer.samples.layouts.presence import check_there
from transfer.samples.layouts.table import TABLE_SUFFIXES, read_table, table_columns
from transfer.samples.layouts.voc import find_voc, read_voc
from transfer.samples.layouts.yolo import find_yolo, read_yolo
from transfer.samples.manifest import SPLIT_NAMES, Manifest
from transfer.samples.target import CODES, SINGLE_LABEL, Labelling
from transfer.settings import ObjectSettings

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


class _Boxes(NamedTuple):
    """A layout of objects in frames: the files that describe it, and what they say."""

    find: Callable[[Files], list[str]]
    read: Callable[[Files, Sequence[str]], Annotations]


_BOXES = {
    "Pascal VOC": _Boxes(find_voc, read_voc),
    "COCO": _Boxes(find_coco, read_coco),
    "KITTI": _Boxes(find_kitti, read_kitti),
    "YOLO": _Boxes(find_yolo, read_yolo),
}
_FILES = {".json": "COCO", ".yaml": "YOLO", ".yml": "YOLO"}  # that describe a whole data set
# Folders of frames and what belongs to them, which therefore name no class.
_FRAMES = re.compile(
    r"(jpegimages|images?|imgs?|frames|labels?|annotations?|xmls?|data|segmentation(class|object)"
    rf"|image_\d+|({'|'.join(SPLIT_NAMES)})[-_]?\d*)$"
)


def read_layout(
    data: Path,
    labelling: Labelling = SINGLE_LABEL,
    objects: ObjectSettings | None = None,
) -> Manifest:
    """Return the rows of any standard layout; docs/layouts.md shows each.

    Class folders, a table, Parquet with pictures, or frames whose objects have boxes (Pascal VOC,
    COCO, KITTI, YOLO): of those each object is a row. Where several layouts fit it is refused
    rather than guessed at: give the file that is meant.

    Args:
        data: a folder, a table, or the JSON or YAML file of COCO or YOLO.
        labelling: what its labels mean.
        objects: which boxes count; unset takes the defaults.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout; it says what was found.
        ManifestError: see the readers of the layouts; or two layouts fit.
    """
    objects = ObjectSettings() if objects is None else objects
    if data.is_file():
        return _read_file(data, labelling, objects)
    check_there(data)
    listing = Listing(data)
    files = Files(data, list_files(listing))
    boxes = {layout: found for layout, (find, _) in _BOXES.items() if (found := find(files))}
    parquet = find_parquet(files)
    if not boxes and not parquet:
        return _read_classes(listing, labelling)
    _refuse_several(files, boxes, parquet, labelling)
    if parquet:
        return read_parquet(files, parquet, labelling)
    ((layout, found),) = boxes.items()
    return _BOXES[layout].read(files, found).manifest(files, labelling, objects)


def _read_classes(listing: Listing, labelling: Labelling) -> Manifest:
    data, found = listing.root, list_class_folders(listing)
    tables = _tables(data, found.beside[0].files)
    fitting = [table for table in tables if _fits(table_columns(table), labelling)]
    if len(fitting) > 1:
        raise ManifestError(f"{_names(fitting)} all fit; give one of them instead of the folder")
    if fitting and len(found.labels()) > 1:
        raise ManifestError(
            f"{str(data)!r} holds class folders and the table {fitting[0].name!r}; "
            f"give {str(fitting[0])!r} to read the table, or move it away to read the folders"
        )
    if fitting:
        return read_table(fitting[0], labelling)
    if found.labels():
        return found.manifest(labelling)
    raise DataNotFoundError(_unknown(found, tables))


def _refuse_several(
    files: Files, boxes: dict[str, list[str]], parquet: list[str], labelling: Labelling
) -> None:
    """Refuse annotations or Parquet beside any other layout.

    Raises:
        ManifestError: it names what was found of each.
    """
    found = [f"{layout} boxes ({names[0]!r})" for layout, names in boxes.items()]
    if parquet:
        found.append(f"Parquet with pictures ({parquet[0]!r})")
    tables = _tables(files.root, [name for name in files.names if "/" not in name])
    found += [
        f"the table {table.name!r}"
        for table in tables
        if table.name not in parquet and _fits(table_columns(table), labelling)
    ]
    if len(classes := _class_folders(files)) > 1:
        found.append(f"class folders ({', '.join(map(repr, classes[:3]))})")
    if len(found) > 1:
        raise ManifestError(
            f"{str(files.root)!r} holds {' and '.join(found)}; give the file or the folder that "
            "is meant, or move the others away"
        )


def _class_folders(files: Files) -> list[str]:
    """Return the folders of pictures whose names are not those of frames."""
    folders = {name.split("/")[:-1][-1] for name in _pictures(files) if "/" in name}
    return sorted(folder for folder in folders if not _FRAMES.match(folder.lower()))


def _pictures(files: Files) -> list[str]:
    return [picture for pictures in files.pictures.values() for picture in pictures]


def _fits(columns: list[str], labelling: Labelling) -> bool:
    # Labels may be columns of their own where a row may have several.
    labels = labelling.columns if CODES[labelling.kind].several else ("label",)
    return {"image", *labels} <= set(columns)


def _read_file(path: Path, labelling: Labelling, objects: ObjectSettings) -> Manifest:
    suffix = path.suffix.lower()
    if suffix == ".parquet" and holds_pictures(path):
        return read_parquet(Files(path.parent, [path.name]), [path.name], labelling)
    if _is_table(path.name):
        return read_table(path, labelling)
    if suffix in _FILES:
        files = Files.below(_root_of(path))
        found = [path.relative_to(files.root).as_posix()]
        return _BOXES[_FILES[suffix]].read(files, found).manifest(files, labelling, objects)
    if suffix in _ARCHIVES:
        raise DataNotFoundError(f"{str(path)!r} is an archive; unpack it and give the folder")
    raise DataNotFoundError(
        f"{str(path)!r} is neither a folder nor a table ({', '.join(TABLE_SUFFIXES)}), nor does it "
        f"describe frames ({', '.join(_FILES)})"
    )


def _root_of(path: Path) -> Path:
    """Return the folder that frames lie below: around a folder annotations, that of the file."""
    return path.parent.parent if path.parent.name.lower() == "annotations" else path.parent


def _tables(folder: Path, names: Sequence[str]) -> list[Path]:
    return [folder / name for name in names if _is_table(name)]


def _is_table(name: str) -> bool:
    return name.lower().endswith(TABLE_SUFFIXES)


def _unknown(found: ClassFolders, tables: list[Path]) -> str:
    return (
        f"{str(found.root)!r} has no layout that is known. "
        f"Found: {'; '.join(_seen(found, tables)) or 'nothing, it is empty'}. "
        "Tried: class folders (class/picture, or train/ val/ test/ with class folders inside); "
        f"one table ({', '.join(TABLE_SUFFIXES)}) with columns image, label[, group][, split]; "
        f"Parquet with pictures; frames with boxes ({', '.join(_BOXES)})"
    )


def _seen(found: ClassFolders, tables: list[Path]) -> list[str]:
    seen = []
    files = [file for folder in found.beside for file in folder.files]
    pictures = sum(len(folder.pictures) for folder in found.beside)
    if pictures:
        seen.append(f"{pictures:,} pictures directly in the folder, no class folders")
    if found.classes:
        seen.append(f"{len(found.classes)} folder(s) without pictures")
    seen += [f"the table {table.name!r} with columns {table_columns(table)}" for table in tables]
    archives = [file for file in files if file.lower().endswith(_ARCHIVES)]
    if archives:
        seen.append(f"the archive {archives[0]!r}, which is to be unpacked")
    if others := len(files) - pictures - len(tables) - len(archives):
        seen.append(f"{others:,} file(s) of other kinds")
    return seen


def _names(paths: list[Path]) -> str:
    return ", ".join(repr(str(path)) for path in paths)
