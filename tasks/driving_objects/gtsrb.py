"""Traffic signs as GTSRB publishes them: pictures, and tables that say where the sign is in each.

Stallkamp et al. 2012, Man vs. computer, doi:10.1016/j.neunet.2012.02.016. The training archive has
a table in each class folder, 00014/GT-00014.csv, the test archive one for all, GT-final_test.csv.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.objects import make_box

# What the archives unpack to, from their top or from the folder GTSRB.
PUBLISHED_FOLDERS = ("GTSRB/Final_Training/Images", "Final_Training/Images", "GTSRB/Training")
TABLES = "GT-*.csv"
_COLUMNS = ("Filename", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId")
_SHOWN = 5


class Sign(NamedTuple):
    """One line of a table.

    Attributes:
        image: POSIX path below the root.
        label: the class as its folder is called, 00014.
        box: of the sign.
    """

    image: str
    label: str
    box: Box


def read_signs(root: Path, tables: Iterable[Path]) -> list[Sign]:
    """Return what tables below `root` say of the pictures beside them.

    The right and lower edges are those behind the last pixel, as ours: in 29;30;5;6;24;25 the
    border around the sign, which has at least 5 px, is as wide on the right as on the left.

    Raises:
        ManifestError: tables that cannot be read; the first mistakes are named.
    """
    signs: list[Sign] = []
    mistakes: list[str] = []
    for table in tables:
        folder = table.parent.relative_to(root).as_posix()
        try:
            signs += _read(table, "" if folder == "." else f"{folder}/", mistakes)
        except (OSError, ValueError, csv.Error) as error:
            mistakes.append(f"{table.name!r} cannot be read: {error}")
    if mistakes:
        raise ManifestError(f"GTSRB tables in {str(root)!r}\n  " + "\n  ".join(mistakes[:_SHOWN]))
    return signs


def _read(table: Path, folder: str, mistakes: list[str]) -> Iterator[Sign]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, delimiter=";")
        if missing := [name for name in _COLUMNS if name not in (lines.fieldnames or ())]:
            raise ManifestError(f"it has columns {lines.fieldnames}, but no {missing}")
        for line in lines:
            cells: Sequence[str] = [line[name] or "" for name in _COLUMNS]
            try:
                yield Sign(folder + cells[0], f"{int(cells[5]):05}", make_box(cells[1:5]))
            except ValueError as error:
                mistakes.append(f"{table.name!r}, line {lines.line_num}: {error}")
