"""What was found in files earlier, so that an unchanged file is not opened again."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

from transfer.cache.folder import make_private

_FILE = "seen.sqlite"
_TABLE = """
    CREATE TABLE IF NOT EXISTS seen (
        path TEXT, part TEXT, reader TEXT, size INTEGER, mtime_ns INTEGER,
        found TEXT,
        PRIMARY KEY (path, part, reader)
    ) WITHOUT ROWID
"""
_RECALL = """
    SELECT number, found FROM asked JOIN seen USING (path, part, size, mtime_ns)
    WHERE reader = ?
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SETTLED_NS = 2_000_000_000  # the coarsest clock of a file system, FAT's


class FileState(NamedTuple):
    """A file as it was when it was looked at: absolute path, part of the picture, size, mtime."""

    path: str
    part: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the state of a whole file; what is not there has the size -1."""
        try:
            about = path.stat()
        except OSError:
            return cls(str(path.absolute()), "", -1, -1)  # reading it will say why
        return cls(str(path.absolute()), "", about.st_size, about.st_mtime_ns)


class SeenFiles:
    """Texts by file state and reader, in one SQLite file that any number of processes share.

    It only saves time: where it cannot be read or written, nothing is recalled or remembered, and a
    damaged file is thrown away.
    """

    def __init__(self, folder: Path, reader: str) -> None:
        self._path = folder / _FILE
        self._reader = blake2b(reader.encode(), digest_size=8).hexdigest()

    def recall(self, files: Sequence[FileState]) -> list[str | None]:
        """Return what was found in each file, None where it is new or has changed."""
        found: list[str | None] = [None] * len(files)
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("CREATE TEMP TABLE asked (number, path, part, size, mtime_ns)")
                asked = ((number, *state) for number, state in enumerate(files))
                connection.executemany("INSERT INTO asked VALUES (?, ?, ?, ?, ?)", asked)
                for number, text in connection.execute(_RECALL, (self._reader,)):
                    found[number] = text
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def remember(self, found: Iterable[tuple[FileState, str]]) -> None:
        """Keep what was found, for the next time."""
        # A file written this very moment may change again without a change of its time.
        latest = time.time_ns() - _SETTLED_NS
        rows = [
            (state.path, state.part, self._reader, state.size, state.mtime_ns, text)
            for state, text in found
            if state.mtime_ns < latest
        ]
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _connect(self) -> sqlite3.Connection:
        make_private(self._path.parent)
        connection = sqlite3.connect(self._path, timeout=30)  # while another process writes
        try:
            connection.execute(_TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _give_up(self, error: sqlite3.Error | OSError) -> None:
        if getattr(error, "sqlite_errorcode", None) in _DAMAGED:
            for path in (self._path, self._path.with_name(f"{_FILE}-journal")):
                path.unlink(missing_ok=True)
