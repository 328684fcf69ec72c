"""What earlier inspections found in files, so that an unchanged file is not opened again."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from transfer.cache.folder import make_private

_FILE = "seen.sqlite"
_TABLE = """
    CREATE TABLE IF NOT EXISTS looks (
        path TEXT, part TEXT, reader TEXT, size INTEGER, mtime_ns INTEGER,
        content TEXT, pixels TEXT, numbers TEXT,
        PRIMARY KEY (path, part, reader)
    ) WITHOUT ROWID
"""
_RECALL = """
    SELECT number, content, pixels, numbers
    FROM asked JOIN looks USING (path, part, size, mtime_ns)
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


class Look(NamedTuple):
    """What one look at a picture found.

    Attributes:
        content: 16 hex digits for the bytes of the file.
        pixels: 16 hex digits for the pixels a reader makes of it.
        numbers: what the task measures of those pixels, by name.
    """

    content: str
    pixels: str
    numbers: Mapping[str, float] = MappingProxyType({})


class SeenFiles:
    """Looks by file state and reader, in one SQLite file that any number of processes share.

    It only saves time: where it cannot be read or written, nothing is recalled or remembered, and a
    damaged file is thrown away.
    """

    def __init__(self, folder: Path, reader: str) -> None:
        self._path = folder / _FILE
        self._reader = blake2b(reader.encode(), digest_size=8).hexdigest()

    def recall(self, files: Sequence[FileState]) -> list[Look | None]:
        """Return what was found in each file, None where it is new or has changed."""
        found: list[Look | None] = [None] * len(files)
        try:
            with closing(self._connect()) as connection:
                connection.execute("PRAGMA temp_store = MEMORY")
                connection.execute("CREATE TEMP TABLE asked (number, path, part, size, mtime_ns)")
                asked = ((number, *state) for number, state in enumerate(files))
                connection.executemany("INSERT INTO asked VALUES (?, ?, ?, ?, ?)", asked)
                for number, content, pixels, text in connection.execute(_RECALL, (self._reader,)):
                    found[number] = Look(content, pixels, json.loads(text))
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def remember(self, found: Iterable[tuple[FileState, Look]]) -> None:
        """Keep what was found, for the next time."""
        # A file written this very moment may change again without a change of its time.
        latest = time.time_ns() - _SETTLED_NS
        rows = [
            (
                *(state.path, state.part, self._reader, state.size, state.mtime_ns),
                *(look.content, look.pixels, json.dumps(dict(look.numbers))),
            )
            for state, look in found
            if state.mtime_ns < latest
        ]
        try:
            with closing(self._connect()) as connection, connection:
                connection.executemany("REPLACE INTO looks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
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
