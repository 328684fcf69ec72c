"""A CSV, TSV or Parquet table with columns image, label[, group][, split]."""

import csv
import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.label_columns import join_label_columns
from transfer.samples.manifest import DERIVED, PARTS, REQUIRED, SPLIT_NAMES, SPLITS, Manifest
from transfer.samples.target import CODES, SEPARATOR, SINGLE_LABEL, Labelling

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
_TEXT = (*REQUIRED, "group", "split")
_SHOWN = 5


def read_table(path: Path, labelling: Labelling = SINGLE_LABEL) -> Manifest:
    """Return the rows of a table whose image paths start from the folder of the table.

    Labels, groups and splits are text: a label 007 stays "007". Spaces around them do not count.
    Where a row may have several labels, they are separated by "|", or are columns of their own, see
    `join_label_columns`. Other columns become free columns.

    Args:
        path: of the table.
        labelling: what its labels mean.

    Raises:
        DataNotFoundError: there is no such table, or pictures it names are missing.
        ManifestError: it cannot be read, a column is missing or nearly right, a label is empty
            where there must be one, a split is unknown, or there is one class only.
    """
    table = join_label_columns(path, _read(path), labelling)
    _check_names(path, [str(name) for name in table])
    present = [name for name in _TEXT if name in table]
    rows = table.assign(**{name: _text(table[name]) for name in present})
    rows["image"] = rows["image"].str.replace("\\", "/", regex=False)  # tables made on Windows
    if "split" in rows:
        rows["split"] = rows["split"].map(lambda name: SPLIT_NAMES.get(name.lower(), name))
    _check_cells(path, rows, labelling)
    _check_files(path, rows["image"])
    return Manifest.of_labels(path.parent, rows, labelling=labelling)


def table_columns(path: Path) -> list[str]:
    """Return the names of the columns of a table, none where they cannot be read."""
    try:
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet  # noqa: PLC0415  # slow, and few tables are Parquet

            return [str(name) for name in pyarrow.parquet.read_schema(path).names]
        header, separator = _header(path)
        return [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
    except (OSError, ValueError, csv.Error):
        return []


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataNotFoundError(f"no table {str(path)!r}")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path, dtype_backend="pyarrow")  # keeps integers beside gaps
        return _read_text(path)
    except (OSError, ValueError) as error:  # what is wrong with the format is a ValueError in both
        raise ManifestError(f"table {str(path)!r} cannot be read: {error}") from error


def _read_text(path: Path) -> pd.DataFrame:
    table = pd.read_csv(
        path,
        sep=_header(path)[1],
        encoding="utf-8-sig",
        dtype=str,
        keep_default_na=False,  # a class may be called NA
        skipinitialspace=True,
        skip_blank_lines=False,  # so that row numbers are line numbers
    )
    if not isinstance(table.index, pd.RangeIndex):
        raise ValueError("its rows have more fields than its header has names")  # noqa: TRY004  # shape of a file
    table.columns = table.columns.str.strip()
    return table[(table != "").any(axis=1)]


def _header(path: Path) -> tuple[str, str]:
    """Return the first line of a table, and the character that parts its names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    return header, max(",;\t", key=header.count)


def _check_names(path: Path, names: list[str]) -> None:
    if taken := [name for name in (*DERIVED, *PARTS) if name in names]:
        raise ManifestError(f"table {str(path)!r}: rename column(s) {taken}, which are made later")
    absent = [name for name in _TEXT if name not in names]
    others = [name for name in names if name not in _TEXT]
    near = {name: found[0] for name in absent if (found := _near(name, others))}
    lacking = [name for name in absent if name in REQUIRED]
    if lacking or near:  # a column groups that counts for nothing would be a leak
        hints = "".join(f"; did you mean {name!r} by {other!r}?" for name, other in near.items())
        raise ManifestError(
            f"table {str(path)!r} has columns {names}"
            f"{f' but no {lacking}' if lacking else ''}{hints or '; rename the one you mean'}"
        )


def _near(name: str, others: Iterable[str]) -> list[str]:
    lower = {other.strip().lower(): other for other in others}
    return [lower[match] for match in difflib.get_close_matches(name, lower, n=1, cutoff=0.8)]


def _text(column: "pd.Series[str]") -> "pd.Series[str]":
    cells: list[Any] = column.tolist()
    nothing = [cell is None or cell is pd.NA or cell != cell for cell in cells]  # noqa: PLR0124  # NaN
    texts = ["" if gap else str(cell).strip() for cell, gap in zip(cells, nothing, strict=True)]
    return pd.Series(texts, index=column.index, dtype=str)


def _check_cells(path: Path, rows: pd.DataFrame, labelling: Labelling) -> None:
    code = CODES[labelling.kind]
    mistakes = [
        f"{_where(path, rows.index[rows[name] == ''])}: empty {name}"
        for name in (REQUIRED[:1] if code.several else REQUIRED)
        if (rows[name] == "").any()
    ]
    mistakes += [
        f"{_where(path, part.index)}: {label!r} has an empty label beside a {SEPARATOR!r}"
        for label, part in rows.groupby("label")
        if label and "" in code.names(str(label))
    ]
    if "split" in rows:
        odd = ~rows["split"].isin([*SPLITS, ""])
        mistakes += [
            f"{_where(path, part.index)}: split {name!r} is none of {list(SPLITS)}"
            for name, part in rows[odd].groupby("split")
        ]
    if mistakes:
        raise ManifestError(f"table {str(path)!r}\n  " + "\n  ".join(mistakes[:_SHOWN]))


def _where(path: Path, index: pd.Index) -> str:
    kind, first = ("row", 1) if path.suffix.lower() == ".parquet" else ("line", 2)
    numbers = ", ".join(str(number + first) for number in index[:_SHOWN])
    return f"{kind} {numbers}" + (f" and {len(index) - _SHOWN} more" if len(index) > _SHOWN else "")


def _check_files(path: Path, images: "pd.Series[str]") -> None:
    missing = [
        image
        for image in images
        if not os.path.exists(os.path.join(path.parent, image))  # noqa: PTH110, PTH118  # 100,000 of them; and false where a name is too long to be one
    ]
    if missing:
        raise DataNotFoundError(
            f"table {str(path)!r}: {len(missing)} of {len(images)} pictures do not exist below "
            f"{str(path.parent)!r}: {', '.join(map(repr, missing[:_SHOWN]))}"
            f"{_where_else(path.parent, missing[:_SHOWN])}"
        )


def _where_else(folder: Path, images: list[str]) -> str:
    """Say which folder beside the table has all of these pictures, where one does."""
    for inner in sorted(place for place in folder.iterdir() if place.is_dir()):
        if all(os.path.exists(inner / image) for image in images):  # noqa: PTH110  # as above
            better = f"{inner.name}/{images[0]}"
            return f"; they lie in {str(inner)!r}: write {better!r}, or put the table there"
    return ""
