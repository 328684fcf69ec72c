"""What stands below a folder, each part of it listed once."""

import os
from functools import cache, partial
from pathlib import Path

from transfer.errors import DataNotFoundError, ManifestError

_IGNORED = frozenset({"__MACOSX"})  # what macOS puts into archives: twins of files, no pictures


class Listing:
    """What stands below a folder; each part of it is listed once, whoever asks.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        """List nothing yet."""
        self.root = root
        self._inside = cache(partial(_list_folder, root))

    def inside(self, folder: str) -> tuple[list[str], list[str]]:
        """Return the visible folders in `root / folder` by name, and its files by path, sorted.

        Raises:
            DataNotFoundError: it cannot be listed.
            ManifestError: a name is not valid UTF-8.
        """
        return self._inside(folder)


def list_files(listing: Listing, start: str = "") -> list[str]:
    """Return the visible files below `root / start` as sorted POSIX paths below `root`.

    Links are followed. Each folder is listed once, and none that the walk came through, so that
    links in a circle end.

    Raises:
        DataNotFoundError: a folder cannot be listed.
        ManifestError: a name is not valid UTF-8.
    """
    root = listing.root
    top = root / start
    above = {*top.absolute().parents, *top.resolve().parents}
    seen = set(map(_identity, above))
    found, waiting = [], [start]
    while waiting:
        folder = waiting.pop()
        here = _identity(root / folder)
        if here not in seen:
            seen.add(here)
            names, files = listing.inside(folder)
            found += files
            waiting += [f"{folder}{name}/" for name in names]
    return sorted(found)


def _identity(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _list_folder(root: Path, folder: str) -> tuple[list[str], list[str]]:
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name not in _IGNORED:
                    (folders if _is_folder(entry) else files).append(entry.name)
    except OSError as error:
        raise DataNotFoundError(
            f"{str(root / folder)!r} cannot be listed: {error.strerror}"
        ) from error
    _refuse_undecodable(root / folder, folders + files)
    return sorted(folders), [folder + name for name in sorted(files)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link in a circle; as a file it will be found broken


def _refuse_undecodable(folder: Path, names: list[str]) -> None:
    joined = "/".join(names)
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        name = os.fsencode(names[joined[: error.start].count("/")])
        raise ManifestError(
            f"the file name {name!r} in {str(folder)!r} is not valid UTF-8; rename it"
        ) from error
