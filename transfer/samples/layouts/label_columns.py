"""Tables with one 0/1 column for each label, seen as tables with a column `label`."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from transfer.errors import ManifestError
from transfer.samples.target import CODES, SEPARATOR, Labelling

_TRUE, _FALSE = frozenset({"1", "1.0", "true"}), frozenset({"0", "0.0", "false"})


def join_label_columns(path: Path, table: pd.DataFrame, labelling: Labelling) -> pd.DataFrame:
    """Return a table whose column `label` names the 0/1 columns that are 1 in a row.

    They are the columns of `labelling`; where it names none and the table has no column `label`,
    every column but image, group and split. A table that needs nothing of it comes back as it is.

    Args:
        path: of the table, for messages.
        table: its cells.
        labelling: kind of target, and the columns.

    Raises:
        ManifestError: a column is missing, or holds something else; or there is a column `label`
            beside those that were named.
    """
    several = CODES[labelling.kind].several
    if not several or "image" not in table or ("label" in table and not labelling.columns):
        return table
    if labelling.columns:
        _check_named(path, [str(name) for name in table], labelling.columns)
    names = labelling.columns or tuple(
        str(name) for name in table if name not in ("image", "group", "split")
    )
    cells = {name: [_flag(cell) for cell in table[name]] for name in names}
    if not labelling.columns and any(None in flags for flags in cells.values()):
        flags = [name for name, column in cells.items() if None not in column]
        raise ManifestError(
            f"table {str(path)!r} has no column 'label', and of its columns {flags} hold 0 and 1, "
            f"{[name for name in names if name not in flags]} do not; name the columns that are "
            "labels as the task's setting for labels, or write a column 'label' (a|b)"
        )
    _refuse_other_cells(path, table, cells)
    rows = zip(*cells.values(), strict=True)
    labels = [
        SEPARATOR.join(name for name, flag in zip(cells, row, strict=True) if flag) for row in rows
    ]
    return table.drop(columns=list(names)).assign(label=labels)


def _check_named(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    if missing := [name for name in names if name not in columns]:
        raise ManifestError(
            f"table {str(path)!r} lacks the label column(s) {missing}; it has {list(columns)}"
        )
    if "label" in columns:
        raise ManifestError(
            f"table {str(path)!r} has a column 'label' beside the label columns {list(names)}; "
            "only one of both can count: rename it, or name no label columns"
        )


def _flag(cell: object) -> bool | None:
    """Return what a cell says of its label, None where it is neither 0 nor 1."""
    text = str(cell).strip().lower()
    return text in _TRUE if text in _TRUE | _FALSE else None


def _refuse_other_cells(
    path: Path, table: pd.DataFrame, cells: dict[str, list[bool | None]]
) -> None:
    for name, flags in cells.items():
        if SEPARATOR in name:
            raise ManifestError(
                f"table {str(path)!r}: {SEPARATOR!r} parts labels; rename column {name!r}"
            )
        if None in flags:
            number = flags.index(None)
            raise ManifestError(
                f"table {str(path)!r}, image {str(table['image'].iloc[number])!r}: label column "
                f"{name!r} holds {str(table[name].iloc[number])!r}; write 0 or 1"
            )
