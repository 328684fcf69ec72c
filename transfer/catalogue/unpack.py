"""An archive from a stranger, unpacked so that nothing of it lands anywhere else."""

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

from transfer.errors import FetchError
from transfer.progress import Step

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_CHUNK = 1 << 20
# What the readers raise of a damaged file; gzip, bz2 and tarfile have more, all OSErrors or these.
_DAMAGED = (
    EOFError, NotImplementedError, OSError, RuntimeError, ValueError, lzma.LZMAError,
    tarfile.TarError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What an archive of pictures never reaches, and one made to fill a disk does.

    Attributes:
        entries: how many files and folders it may hold.
        size: bytes that all of them may have.
        ratio: how many times as large they may be, together, as the archive.
        small: bytes that may unfold to at any ratio: tables are text.
    """

    entries: int = 5_000_000
    size: int = 10**12
    ratio: float = 40
    small: int = 10**8


class _Entry(NamedTuple):
    """A file, or a folder where there is no `content`; `odd` says what else it is, if anything."""

    name: str
    content: IO[bytes] | None = None
    odd: str = ""


def unpack(archive: Path, folder: Path, step: Step, limits: Limits | None = None) -> None:
    """Write the files of a zip or tar archive below `folder`.

    Names, folders and bytes are all that is taken over: no owners, modes or times. Links of any
    kind are refused, as no data set needs them and a file may be written through one.

    Args:
        archive: its name ends as one of ARCHIVES.
        folder: exists; what is in it stays.
        step: counts files.
        limits: unset takes the defaults.

    Raises:
        FetchError: it is damaged, holds what leads out of the folder or is no file, or is a bomb.
        OSError: `folder` cannot be written.
    """
    budget = _Budget(archive, limits or Limits())
    entries = _zip_entries if archive.name.lower().endswith(".zip") else _tar_entries
    for entry in entries(archive):
        path = folder / _safe(archive, entry)
        budget.count_entry()
        if entry.content is None:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for chunk in _chunks(archive, entry.content):
                budget.count_bytes(len(chunk))
                file.write(chunk)
        step.advance()


def unpacked_size(archive: Path) -> int | None:
    """Return how many bytes its files say they have; None for a tar, which has no list of them.

    Raises:
        FetchError: it is damaged.
    """
    if not archive.name.lower().endswith(".zip"):
        return None
    with _reading(archive), zipfile.ZipFile(archive) as file:
        return sum(info.file_size for info in file.infolist())


class _Budget:
    """What has come out of an archive so far, which may say of itself what it likes."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._packed = archive.stat().st_size
        self._entries, self._bytes = 0, 0

    def count_entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise self._bomb(f"more than {self._limits.entries:,} files and folders")

    def count_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._limits.size:
            raise self._bomb(f"more than {self._limits.size:,} bytes")
        if self._bytes > max(self._limits.small, self._limits.ratio * self._packed):
            raise self._bomb(f"more than {self._limits.ratio:g} times its {self._packed:,} bytes")

    def _bomb(self, what: str) -> FetchError:
        return FetchError(
            f"{str(self._archive)!r} unfolds to {what}: no pictures do; nothing was unpacked"
        )


def _safe(archive: Path, entry: _Entry) -> str:
    """Return the name of an entry, a path that stays below the folder.

    Raises:
        FetchError: it leads out, or is neither file nor folder.
    """
    # PureWindowsPath takes both slashes, and knows drives: what is safe there is safe everywhere.
    path = PureWindowsPath(entry.name)
    odd = entry.odd
    if path.anchor or ".." in path.parts or "\0" in entry.name:
        odd = "a path that leads out of the folder"
    if odd:
        raise FetchError(
            f"{str(archive)!r} holds {entry.name!r}, {odd}; nothing was unpacked. If you trust "
            "it, unpack it yourself and give the folder to --data"
        )
    return path.as_posix()


def _zip_entries(archive: Path) -> Iterator[_Entry]:
    with _reading(archive), zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 from systems without modes
            if info.is_dir():
                yield _Entry(info.filename)
            elif kind not in {0, stat.S_IFREG}:
                yield _Entry(info.filename, odd="a link" if kind == stat.S_IFLNK else "a device")
            else:
                with file.open(info) as content:
                    yield _Entry(info.filename, content)


def _tar_entries(archive: Path) -> Iterator[_Entry]:
    with _reading(archive), tarfile.open(archive) as file:
        for info in file:
            if info.isdir():
                yield _Entry(info.name)
            elif not info.isreg():
                yield _Entry(
                    info.name, odd="a link" if info.issym() or info.islnk() else "a device"
                )
            else:
                yield _Entry(info.name, file.extractfile(info))


def _chunks(archive: Path, content: IO[bytes]) -> Iterator[bytes]:
    while True:
        with _reading(archive):
            chunk = content.read(_CHUNK)
        if not chunk:
            return
        yield chunk


@contextmanager
def _reading(archive: Path) -> Iterator[None]:
    try:
        yield
    except FetchError:
        raise
    except _DAMAGED as error:
        raise FetchError(
            f"{str(archive)!r} is damaged, or no archive after all: {error}"
        ) from error
