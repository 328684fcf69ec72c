"""Find out which standard layout a folder has, or say what was found instead."""

import difflib
from pathlib import Path

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.folder import ClassFolders, list_class_folders
from transfer.samples.layouts.table import TABLE_SUFFIXES, read_table, table_columns
from transfer.samples.manifest import Manifest
from transfer.samples.target import CODES, SINGLE_LABEL, Labelling

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


def read_layout(data: Path, labelling: Labelling = SINGLE_LABEL) -> Manifest:
    """Return the rows of class folders, of a table, or of a folder that holds one table.

    A folder with class folders and a table beside them is refused rather than guessed at: give the
    table itself.

    Args:
        data: a folder or a table.
        labelling: what its labels mean.

    Raises:
        DataNotFoundError: there is nothing, or nothing of a known layout; it says what was found.
        ManifestError: see `read_folders` and `read_table`; or two layouts fit.
    """
    if data.is_file():
        return _read_file(data, labelling)
    if not data.exists():
        raise DataNotFoundError(_no_such(data))
    found = list_class_folders(data)
    tables = [data / file for file in found.beside[0].files if _is_table(file)]
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


def _fits(columns: list[str], labelling: Labelling) -> bool:
    # Labels may be columns of their own where a row may have several.
    labels = labelling.columns if CODES[labelling.kind].several else ("label",)
    return {"image", *labels} <= set(columns)


def _read_file(path: Path, labelling: Labelling) -> Manifest:
    if _is_table(path.name):
        return read_table(path, labelling)
    if path.suffix.lower() in _ARCHIVES:
        raise DataNotFoundError(f"{str(path)!r} is an archive; unpack it and give the folder")
    raise DataNotFoundError(
        f"{str(path)!r} is neither a folder nor a table ({', '.join(TABLE_SUFFIXES)})"
    )


def _is_table(name: str) -> bool:
    return name.lower().endswith(TABLE_SUFFIXES)


def _no_such(data: Path) -> str:
    missing = data.absolute()
    while not missing.parent.exists():
        missing = missing.parent
    around = missing.parent
    names = [path.name for path in around.iterdir()] if around.is_dir() else []
    near = difflib.get_close_matches(missing.name, names, n=1)
    hint = f"did you mean {str(around / near[0])!r}?" if near else f"looked in {str(around)!r}"
    return f"no folder or table {str(data)!r}; {hint}"


def _unknown(found: ClassFolders, tables: list[Path]) -> str:
    return (
        f"{str(found.root)!r} has no layout that is known. "
        f"Found: {'; '.join(_seen(found, tables)) or 'nothing, it is empty'}. "
        "Tried: class folders (class/picture, or train/ val/ test/ with class folders inside); "
        f"one table ({', '.join(TABLE_SUFFIXES)}) with columns image, label[, group][, split]"
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
