"""A store whose folder was moved: MLflow keeps whole addresses, which then lead nowhere."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from transfer.errors import StoreError
from transfer.tracking.store import Store, alone_in

_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Where MLflow keeps addresses of files."""

_OF_FOLDERS = _COLUMNS[1:3]
"""Those that name a folder each."""


@dataclass(frozen=True)
class Whereabouts:
    """Where the files of a store are, and where it thinks they are.

    Attributes:
        kept: folders of files, of runs and models, that are where the store thinks.
        moved: how many are below this store instead, by the address that they had.
        lost: those that are in neither place.
        file_stores: folders of an older MLflow's store that lie in the way.
    """

    kept: int
    moved: dict[str, int]
    lost: tuple[str, ...]
    file_stores: tuple[Path, ...]


def check(store: Store) -> Whereabouts:
    """Say where the files of `store` are; nothing is written.

    Raises:
        StoreError: its files are kept by somebody else, or there is none.
    """
    strays = sorted(path.parent for path in store.out.glob("*/meta.yaml"))
    file_stores = tuple(stray for stray in strays if stray.name.isdigit())
    if file_stores and store.database is not None and not store.database.is_file():
        return Whereabouts(0, {}, (), file_stores)
    with _opened(store) as database:
        roots = _roots(database, store)
        kept, moved, lost = 0, Counter[str](), list[str]()
        for address in _folders(database):
            root = next((root for root in roots if address.startswith(f"{root}/")), None)
            if root is not None and _path(_here(address, root, store)).exists():
                moved[root] += 1  # even where the old folder still stands: this is a copy
            elif _path(address).exists():
                kept += 1
            else:
                lost.append(address)
    return Whereabouts(kept, dict(moved), tuple(lost), file_stores)


def relocate(store: Store) -> int:
    """Have the store find its files where they are now; return how many folders moved.

    A copy of the database stays beside it, as mlflow.db.before-relocation.

    Raises:
        StoreError: see `check`.
        OutputError: the folder cannot be written to.
    """
    found = check(store)
    if not found.moved:
        return 0
    with alone_in(store), _opened(store) as database:
        beside = Path(f"{store.database}.before-relocation")
        beside.unlink(missing_ok=True)
        with closing(sqlite3.connect(beside)) as copy:
            database.backup(copy)
        with database:  # all of it or nothing
            for root in found.moved:
                for table, column in _COLUMNS:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608  # ours
                        f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        [store.artifacts, len(root) + 1, root, len(root) + 1, f"{root}/"],
                    )
    return sum(found.moved.values())


@contextmanager
def _opened(store: Store) -> Iterator[sqlite3.Connection]:
    path = store.database
    if path is None:
        raise StoreError(
            f"{store.address} keeps its own files; only a store in a folder can be moved"
        )
    if not path.is_file():
        raise StoreError(f"no run store in {str(store.out)!r}: there is no {path.name}")
    try:
        with closing(sqlite3.connect(path)) as database:
            yield database
    except sqlite3.Error as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error}") from error


def _roots(database: sqlite3.Connection, store: Store) -> list[str]:
    """Return the addresses other than its own that experiments of this framework keep files at."""
    found = database.execute("SELECT DISTINCT artifact_location FROM experiments")
    own = f"/{Path(url2pathname(urlsplit(store.artifacts).path)).name}"
    roots = [root for (root,) in found if str(root).startswith("file:") and root.endswith(own)]
    return [root for root in roots if root != store.artifacts]


def _folders(database: sqlite3.Connection) -> Iterator[str]:
    for table, column in _OF_FOLDERS:
        query = f"SELECT {column} FROM {table} WHERE lifecycle_stage = 'active'"  # noqa: S608  # ours
        yield from (str(address) for (address,) in database.execute(query))


def _here(address: str, root: str, store: Store) -> str:
    return store.artifacts + address.removeprefix(root)


def _path(address: str) -> Path:
    return Path(url2pathname(urlsplit(address).path))
