"""The folder for what can be made again: where it is, what is in it, and how it is emptied."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import platformdirs

from transfer.errors import OutputError

Kind = Literal["pixels", "features", "digests"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Another number for another form on disk; what an older version left is listed and cleared as well.
_FORMS = {"pixels": 1, "features": 2, "digests": 3}
# Pictures may show patients, and their paths may name them.
_PRIVATE, _OTHERS = 0o700, 0o077


class Used(NamedTuple):
    """What one kind takes: bytes, files, and when it was last of use; None where there is none."""

    kind: Kind
    size: int
    files: int
    last: datetime | None


def cache_folder() -> Path:
    """Return the folder for what can be made again: $TRANSFER_CACHE, else the user's own."""
    chosen = os.environ.get("TRANSFER_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("resnet-transfer")


def folder_of(kind: Kind, cache: Path | None = None) -> Path:
    """Return where things of `kind` lie below `cache`, unset the user's own; it may not exist."""
    return (cache or cache_folder()) / f"{kind}-{_FORMS[kind]}"


def make_private(folder: Path) -> None:
    """Make `folder`, and let nobody else look into it.

    Raises:
        OSError: it cannot be made, or belongs to somebody else.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(_PRIVATE)


def is_private(cache: Path | None = None) -> bool:
    """Return whether nobody else can look into what lies below `cache`, unset the user's own."""
    folders = [path for path in _folders(cache or cache_folder()) if path.stat().st_mode & _OTHERS]
    return not folders


def used(cache: Path | None = None) -> list[Used]:
    """Return what lies below `cache`, unset the user's own, by kind."""
    return [_used(kind, cache or cache_folder()) for kind in KINDS]


def clear(kind: Kind, cache: Path | None = None) -> Used:
    """Remove everything of `kind`; return what is gone. A run that uses it goes on undisturbed.

    Raises:
        OutputError: something cannot be removed.
    """
    cache = cache or cache_folder()
    before = _used(kind, cache)
    try:
        for folder in _folders(cache, kind):
            shutil.rmtree(folder)
    except OSError as error:
        raise OutputError(f"cannot remove {str(error.filename)!r}: {error.strerror}") from error
    return before


def _used(kind: Kind, cache: Path) -> Used:
    # A store marks when a folder was of use, a database when it was written.
    size, files, last = 0, 0, 0.0
    for path in _below(cache, kind):
        try:
            about = path.stat()
        except OSError:  # another process has just removed it
            continue
        last = max(last, about.st_mtime)
        if path.is_file():
            size, files = size + about.st_size, files + 1
    return Used(kind, size, files, datetime.fromtimestamp(last, UTC) if files else None)


def _below(cache: Path, kind: Kind) -> Iterator[Path]:
    for folder in _folders(cache, kind):
        yield from sorted(path for path in folder.rglob("*") if path.suffix != ".lock")


def _folders(cache: Path, kind: Kind | None = None) -> list[Path]:
    """Return the folders of one kind, or of all."""
    return sorted(
        path for each in KINDS if kind in {None, each} for path in cache.glob(f"{each}-*")
    )
