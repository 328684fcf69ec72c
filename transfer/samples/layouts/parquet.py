"""Parquet with the pictures in it, as the datasets library of Hugging Face writes it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from transfer.errors import DataNotFoundError, ManifestError
from transfer.images.records import picture_column
from transfer.samples.layouts.objects import Files, split_of_folders
from transfer.samples.manifest import DERIVED, PARTS, SPLIT_NAMES, Manifest
from transfer.samples.target import CODES, SEPARATOR, Labelling

_SHARD = re.compile(r"(?P<name>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet$")
_TEXT = ("group", "split")
_TAKEN = frozenset({"image", "label", *DERIVED, *PARTS})


class _Shard(NamedTuple):
    """What the schema of a file says: columns of pictures and labels, names of classes, the rest.

    What is left aside has a shape or a name that no free column may have.
    """

    picture: str
    label: str
    names: tuple[str, ...] | None
    others: tuple[str, ...]
    left: tuple[str, ...]


def find_parquet(files: Files) -> list[str]:
    """Return the Parquet files that hold pictures."""
    return [
        name
        for name in files.names
        if name.lower().endswith(".parquet") and holds_pictures(files.root / name)
    ]


def holds_pictures(path: Path) -> bool:
    """Say whether a Parquet file holds pictures, and not only paths of them."""
    import pyarrow.parquet  # noqa: PLC0415  # slow, and few data sets are Parquet

    try:
        return picture_column(pyarrow.parquet.read_schema(path)) is not None
    except (OSError, ValueError):
        return False


def read_parquet(files: Files, found: Sequence[str], labelling: Labelling) -> Manifest:
    """Return the rows of one or several Parquet files, without their pictures.

    Numbers of classes become the names that the schema has for them; lists of them are several
    labels. The split is that in the name of the file (train-00000-of-00002), else of a folder, else
    in a column split. Rows without a label are left out where there must be one.

    Raises:
        DataNotFoundError: a shard is missing.
        ManifestError: a file cannot be read, it is not clear which column is the label, or labels
            are unknown; or see `Manifest.of_labels`.
    """
    _refuse_missing_shards(found)
    notes: dict[str, None] = {}  # in order, each once
    tables = [_read_file(files, name, labelling, notes) for name in found]
    rows = pd.concat(tables, ignore_index=True)
    return Manifest.of_labels(files.root, rows, tuple(notes), labelling)


def _refuse_missing_shards(found: Sequence[str]) -> None:
    counts: dict[tuple[str, int], set[int]] = {}
    for name in found:
        if shard := _SHARD.match(name):
            key = shard["name"], int(shard["count"])
            counts.setdefault(key, set()).add(int(shard["number"]))
    for (name, count), numbers in counts.items():
        if missing := sorted(set(range(count)) - numbers):
            raise DataNotFoundError(
                f"{len(missing)} of {count} files of {name!r} are missing, first "
                f"'{name}-{missing[0]:05d}-of-{count:05d}.parquet'; fetch it, or give one file"
            )


def _read_file(
    files: Files, name: str, labelling: Labelling, notes: dict[str, None]
) -> pd.DataFrame:
    import pyarrow.parquet  # noqa: PLC0415

    path = files.root / name
    try:
        shard = _shard(path, pyarrow.parquet.read_schema(path))
        table = pyarrow.parquet.read_table(path, columns=[shard.label, *shard.others])
    except (OSError, ValueError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"{str(path)!r} cannot be read: {error}") from error
    if shard.left:
        notes[f"left aside column(s) {list(shard.left)} of the Parquet files"] = None
    several = CODES[labelling.kind].several
    labels = _labels(path, shard, table.column(shard.label).to_pylist(), several=several)
    columns = {column: table.column(column).to_pylist() for column in shard.others}
    for column in (text for text in _TEXT if text in columns):
        columns[column] = ["" if cell is None else str(cell).strip() for cell in columns[column]]
    if split := _split(name):
        columns["split"] = [split] * len(labels)
    elif "split" in columns:
        columns["split"] = [SPLIT_NAMES.get(cell.lower(), cell) for cell in columns["split"]]
    own = {"image": [name] * len(labels), "record": list(range(len(labels))), "label": labels}
    rows = pd.DataFrame({**own, **columns})
    if without := 0 if several else labels.count(""):
        notes[f"left out {without:,} row(s) of {name!r} that have no label"] = None
    return rows if several else rows[rows["label"] != ""]


def _shard(path: Path, schema: Any) -> _Shard:
    from pyarrow import types  # noqa: PLC0415

    picture = picture_column(schema)
    if picture is None:
        raise ManifestError(f"{str(path)!r} has no column of pictures; it has {schema.names}")
    about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = about.get("info", {}).get("features", {})
    classes = {column: names for column in schema.names if (names := _names(features.get(column)))}
    label = "label" if "label" in schema.names else next(iter(classes), "")
    if not label or ("label" not in schema.names and len(classes) > 1):
        raise ManifestError(
            f"{str(path)!r} has columns {schema.names} but no 'label', and {list(classes)} name "
            "classes; rename the one you mean to 'label'"
        )
    rest = [column for column in schema.names if column not in {picture, label}]
    left = tuple(
        column for column in rest if column in _TAKEN or types.is_nested(schema.field(column).type)
    )
    others = tuple(column for column in rest if column not in left)
    return _Shard(picture, label, classes.get(label), others, left)


def _names(feature: Any) -> tuple[str, ...] | None:
    """Return the class names of a feature, or of what a list of them holds."""
    if isinstance(feature, list):
        return _names(feature[0]) if feature else None
    if not isinstance(feature, Mapping):
        return None
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return tuple(map(str, feature["names"]))
    return _names(feature.get("feature"))


def _labels(path: Path, shard: _Shard, cells: Sequence[Any], *, several: bool) -> list[str]:
    lists = [number for number, cell in enumerate(cells, 1) if isinstance(cell, list)]
    if lists and not several:
        raise ManifestError(
            f"{str(path)!r}, row {lists[0]}: a list of labels; task.target=multi_label reads it"
        )
    return [_label(path, shard, number, cell) for number, cell in enumerate(cells, 1)]


def _label(path: Path, shard: _Shard, number: int, cell: Any) -> str:
    if isinstance(cell, list):
        return SEPARATOR.join(_label(path, shard, number, part) for part in cell)
    if cell is None or (shard.names is not None and cell == -1):  # what the library writes for none
        return ""
    if shard.names is None:
        return str(cell).strip()
    if not isinstance(cell, int) or not 0 <= cell < len(shard.names):
        raise ManifestError(
            f"{str(path)!r}, row {number}: label {cell!r} is none of the {len(shard.names)} classes"
        )
    return shard.names[cell]


def _split(name: str) -> str:
    word = re.split(r"[-_.]", name.rpartition("/")[2].lower())[0]
    return SPLIT_NAMES.get(word) or split_of_folders(name)
