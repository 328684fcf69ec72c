"""The table every stage reads: one row per sample."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.images.records import read_record
from transfer.samples.target import (
    CODES,
    SINGLE_LABEL,
    Labelling,
    TargetKind,
    Targets,
    decode_targets,
    encode_labels,
)

SPLITS = ("train", "val", "calibration", "test")
SPLIT_NAMES = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "calibration": "calibration", "test": "test", "testing": "test",
}  # fmt: skip
"""What people call the splits in folders and tables, in lower case."""
REQUIRED = ("image", "label")
DERIVED = ("key", "content", "pixels")
PARTS = ("box", "record")
"""Columns that say which part of a file is the sample."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sample, as a reader of images sees it.

    Attributes:
        path: the file.
        label: class name, several joined by "|"; "" where there is none or it is not known.
        group: what is never divided between splits (patient, scene, drive), "" for none.
        columns: the free columns of the table.
        box: the part of the picture that counts, None for all of it.
        record: the row, from 0, of a Parquet file that holds many pictures; None where the file is
            one.
    """

    path: Path
    label: str = ""
    group: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    box: Box | None = None
    record: int | None = None

    @property
    def part(self) -> str:
        """Which part of the file the sample is, for people and for names; "" for all of it."""
        record = "" if self.record is None else f"row {self.record + 1}"
        return record if self.box is None else f"{record} box {self.box}".strip()

    def source(self) -> Path | bytes:
        """Return where the picture is: the file, or of a file that holds many its bytes.

        Raises:
            ImageError: the bytes cannot be read.
        """
        return self.path if self.record is None else read_record(self.path, self.record)


@dataclass(frozen=True, eq=False)
class Manifest:
    """Samples of one task, with what they show and which split they belong to.

    Columns of `rows`, str:
        image: POSIX path below `root`.
        label: class name; of a multi label target any number of them, joined by "|".
        group: rows of one group never fall into two splits; "" stands alone.
        split: one of `SPLITS`, or "" where none is given yet.
        key: name of the row by content, the same wherever the file lies; added by `inspect`.
        content, pixels: digests of the bytes of the picture and of the pixels that are read of it;
            added by `inspect`.
    Columns that there may be:
        box: `Box`, the part of the picture that is the sample.
        record: int, the row of a Parquet file that holds many pictures.
    Any other column is free, and becomes a slice in reports.

    Attributes:
        root: folder that the paths start from.
        rows: the table, numbered 0..N-1; `group` and `split` may be left out when building.
        classes: class names in the order of the network's outputs.
        target: what kind of label the rows carry.
        notes: what the reader of the layout left aside, one line each, for a person.
    """

    root: Path
    rows: pd.DataFrame
    classes: tuple[str, ...]
    target: TargetKind = TargetKind.SINGLE_LABEL
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse rows that no stage could use.

        Raises:
            ManifestError: a column is missing, there are no rows, or a label or split is unknown.
        """
        if missing := [name for name in REQUIRED if name not in self.rows.columns]:
            raise ManifestError(
                f"the table of {self.root} lacks column(s) {missing}; it has {list(self.rows)}"
            )
        if self.rows.empty:
            raise ManifestError(f"no rows in {self.root}; is it the right folder?")
        rows = self.rows.reset_index(drop=True)
        for name in ("group", "split"):
            rows[name] = rows[name].fillna("").astype(str) if name in rows else ""
        object.__setattr__(self, "rows", rows)
        names = CODES[self.target].names
        labels = [label for label in rows["label"].unique() if {*names(label)} <= {*self.classes}]
        self._check("label", labels, self.classes)
        self._check("split", (*SPLITS, ""), (*SPLITS, ""))

    def _check(self, column: str, good: Sequence[str], known: tuple[str, ...]) -> None:
        bad = self.rows.loc[~self.rows[column].isin(good), ["image", column]]
        if len(bad):
            image, value = bad.iloc[0]
            raise ManifestError(
                f"{len(bad)} row(s) have a {column} that is not one of {list(known)}: "
                f"first {value!r} at {image!r}"
            )

    @classmethod
    def of_labels(
        cls,
        root: Path,
        rows: pd.DataFrame,
        notes: tuple[str, ...] = (),
        labelling: Labelling = SINGLE_LABEL,
    ) -> Self:
        """Return a manifest whose classes are the names that occur, sorted; grades by rank.

        Raises:
            ManifestError: there are too few classes to tell apart, grades have no known order, or
                see above.
        """
        code = CODES[labelling.kind]
        names = {name for label in rows["label"].unique() for name in code.names(label)}
        classes = code.order(names, labelling.grades)
        if len(rows) and len(classes) < code.fewest:
            if not classes:
                raise ManifestError(f"none of {len(rows)} picture(s) of {str(root)!r} has a label")
            raise ManifestError(
                f"all {len(rows)} picture(s) of {str(root)!r} are of class {classes[0]!r}; "
                "a classifier needs at least two classes"
            )
        targets = encode_labels(labelling.kind, rows["label"].tolist(), classes)
        # The same labels in another order are the same label, and have one name.
        rows = rows.assign(label=decode_targets(labelling.kind, targets, classes))
        return cls(root, rows, classes, labelling.kind, notes)

    @cached_property
    def targets(self) -> Targets:
        """The labels of all rows as an array; see `encode_labels`."""
        return encode_labels(self.target, self.rows["label"].tolist(), self.classes)

    def __len__(self) -> int:
        return len(self.rows)

    def row(self, number: int) -> Row:
        """Return row `number`, ready for a task's `read_image`."""
        known, free = self._cells
        return Row(
            path=self.root / known["image"][number],
            label=known["label"][number],
            group=known["group"][number],
            columns={name: cells[number] for name, cells in free.items()},
            box=known["box"][number] if "box" in known else None,
            record=known["record"][number] if "record" in known else None,
        )

    def all_rows(self) -> Sequence[Row]:
        """Return every row, in order; each is made when it is looked at."""
        return _AllRows(self)

    @cached_property
    def _cells(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        # Columns of a row and free ones; a cell of a list is found far faster than one of a table.
        known = {
            name: _shared(self.rows[name].tolist())
            for name in (*REQUIRED, "group", *PARTS)
            if name in self.rows
        }
        free = {
            str(name): _shared(self.rows[name].tolist())
            for name in self.rows.columns
            if name not in _KNOWN
        }
        return known, free

    def numbers(self, split: str) -> NDArray[np.int64]:
        """Return the numbers of the rows in `split`, ascending."""
        return np.flatnonzero(self.rows["split"].to_numpy() == split)

    def group_numbers(self) -> NDArray[np.int64]:
        """Return the group of each row as a number (N,) int64; a row without group stands alone."""
        groups = self.rows["group"]
        numbers = pd.factorize(groups)[0].astype(np.int64)
        alone = (groups == "").to_numpy()
        numbers[alone] = len(self) + np.arange(int(alone.sum()))
        return numbers

    def facts(self, numbers: NDArray[np.int64]) -> pd.DataFrame:
        """Return the free columns of rows `numbers`, in their order, numbered anew."""
        free = [name for name in self.rows.columns if name not in _KNOWN]
        return self.rows.loc[numbers, free].reset_index(drop=True)

    def keep(self, mask: NDArray[np.bool_]) -> Self:
        """Return the manifest with only the rows where `mask` (N,) is true; classes stay."""
        return replace(self, rows=self.rows.loc[mask])

    def with_columns(self, **columns: Any) -> Self:
        """Return a copy whose rows carry these columns, replaced or added."""
        return replace(self, rows=self.rows.assign(**columns))

    def digest(self, split: str | None = None) -> str:
        """Return 16 hex digits naming the data, or one split of it: bytes, labels, groups, splits.

        Paths and order do not enter. Groups enter as which rows belong together: each is named by
        its smallest row key, so that renamed or hashed groups change nothing.

        Raises:
            ManifestError: the files have not been read yet (`inspect` adds the keys).
        """
        if "key" not in self.rows:
            raise ManifestError("the manifest has no row keys; call inspect before digest")
        table = self.rows[["key", "label", "split"]].assign(group=self.group_numbers())
        if split is not None:
            table = table[table["split"] == split]
        table = table.sort_values("key")
        table["group"] = table.groupby("group")["key"].transform("first")
        text = table.to_csv(index=False, header=False, lineterminator="\n")
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class _AllRows(Sequence[Row]):
    """The rows of a manifest by number: of a million rows none takes memory before it is read."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    def __len__(self) -> int:
        return len(self._manifest)

    @overload
    def __getitem__(self, number: int) -> Row: ...
    @overload
    def __getitem__(self, number: slice) -> list[Row]: ...
    def __getitem__(self, number: int | slice) -> Row | list[Row]:
        if isinstance(number, slice):
            return [self[each] for each in range(len(self))[number]]
        return self._manifest.row(range(len(self))[number])  # from the end, or refused


def _shared(cells: list[Any]) -> list[Any]:
    """Return cells in which equal texts are one text: of labels and groups there are few."""
    texts: dict[str, str] = {}
    return [texts.setdefault(cell, cell) if isinstance(cell, str) else cell for cell in cells]


_KNOWN = frozenset({*REQUIRED, "group", "split", *DERIVED, *PARTS})
