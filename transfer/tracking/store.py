"""Where runs live: a folder of this machine, or a tracking server."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from transfer.errors import OutputError, StoreError
from transfer.tracking.door import CREDENTIALS, answering, mlflow_module, without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

DEFAULT_OUT = Path("mlruns")
_SERVERS = frozenset({"http", "https"})
_DATABASES = frozenset({"sqlite", "postgresql", "mysql", "mssql"})
_SQLITE, _DATABASE = "sqlite:///", "mlflow.db"
_LOCK_SECONDS = 120  # a fresh database takes two to six


@dataclass(frozen=True)
class Store:
    """A run store.

    Attributes:
        out: absolute folder of the local records, and of all else where `uri` says so.
        uri: MLflow's tracking URI.
    """

    out: Path
    uri: str

    @property
    def is_server(self) -> bool:
        """Say whether runs go to a tracking server, which also keeps their files."""
        return urlsplit(self.uri).scheme in _SERVERS

    @property
    def database(self) -> Path | None:
        """The SQLite file, or None where the store is something else."""
        return Path(self.uri.removeprefix(_SQLITE)) if self.uri.startswith(_SQLITE) else None

    @property
    def address(self) -> str:
        """The URI without a password: fit for messages and files."""
        return without_password(self.uri)

    @property
    def destination(self) -> str:
        """What a record is meant for: the address, unless the database moves with the record."""
        beside = self.database == self.out / _DATABASE
        return _DATABASE if beside else self.address

    @property
    def records(self) -> Path:
        """Folder of the records that are not delivered yet, or whose runs may be continued."""
        return self.out / "records"

    def checkpoints(self, record_id: str) -> Path:
        """Return the folder that a run can be continued from while it stands."""
        return self.out / "checkpoints" / record_id

    @property
    def artifacts(self) -> str:
        """URI of the folder that files of runs go to, where no server keeps them."""
        return (self.out / "artifacts").as_uri()


def open_store(out: Path, tracking_uri: str | None = None) -> Store:
    """Return the store in `out`, or at `tracking_uri`, else at MLFLOW_TRACKING_URI; touch no disk.

    Raises:
        OutputError: `out` has a name that no database address can hold.
        StoreError: the URI is none that MLflow can still write to.
    """
    out = Path(os.path.abspath(out.expanduser()))  # noqa: PTH100  # resolve() would read the disk
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    if not uri:
        if bad := sorted(set("?%") & set(str(out))):
            raise OutputError(f"a run store cannot stand in {str(out)!r}: {bad} in its path")
        return Store(out, f"{_SQLITE}{out.as_posix()}/{_DATABASE}")
    kind = urlsplit(uri).scheme.partition("+")[0]
    if kind not in _SERVERS | _DATABASES:
        raise StoreError(
            f"tracking URI {without_password(uri)!r} is no http://host:port and no database; "
            "MLflow no longer writes plain folders. Leave it out (and MLFLOW_TRACKING_URI unset) "
            "to use the folder --out"
        )
    if kind in _SERVERS and not _names_a_server(uri):
        raise StoreError(
            f"tracking URI of {kind}: no host and port can be read from it; is there a / ? or # in "
            f"a password? {CREDENTIALS} keep it out of commands and take any sign"
        )
    return Store(out, uri)


def _names_a_server(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def prepare_folder(store: Store) -> None:
    """Make the folder of the local records.

    Raises:
        OutputError: it cannot be made or written to.
        StoreError: an old file store of MLflow is in the way, or the database is none.
    """
    try:
        store.records.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(store, error) from error
    for stray in sorted(store.out.glob("*/meta.yaml")):
        if stray.parent.name.isdigit():
            raise StoreError(
                f"{str(stray)!r} belongs to a file store of an older MLflow, which plain mlflow "
                "commands would read in place of the database; move that folder elsewhere, or "
                "choose another with --out"
            )
    _check_database(store)


def unwritable(store: Store, error: OSError) -> OutputError:
    """Return what to raise where the store's folder cannot be written to."""
    return OutputError(
        f"cannot write to {str(store.out)!r}: {error.strerror or error}; "
        "choose a folder you may write to with --out"
    )


def exists(store: Store) -> bool:
    """Say whether there may be runs: a server may have some, a database file must be there."""
    return store.database is None or store.database.is_file()


@cache
def connect(store: Store) -> "MlflowClient":
    """Return the MLflow client of the store; make or migrate its database first, one at a time.

    Raises:
        OutputError: the folder of the store cannot be written to.
        StoreError: the store does not answer, or is of a newer MLflow.
    """
    client = mlflow_module().MlflowClient
    if store.is_server:
        return client(tracking_uri=store.uri, registry_uri=store.uri)
    mlflow_module("mlflow.store.tracking.sqlalchemy_store")  # else imported where forks do not wait
    with alone_in(store), answering(store.address):
        if store.database is not None:
            _make(store.database)
            _migrate(store.database)
        return client(tracking_uri=store.uri, registry_uri=store.uri)


@contextmanager
def alone_in(store: Store) -> Iterator[None]:
    """Keep other processes out: three of four that make the same fresh database at once die."""
    lock = FileLock(store.out / "store.lock", timeout=_LOCK_SECONDS)
    try:
        store.out.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(f"another process has kept {lock.lock_file!r} for minutes") from error
    except OSError as error:
        raise unwritable(store, error) from error
    try:
        yield
    finally:
        lock.release()


def experiment_id(client: "MlflowClient", store: Store, name: str) -> str:
    """Return the id of the experiment called `name`, made or brought back if need be."""
    exceptions = mlflow_module("mlflow.exceptions")
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        # The kind makes the UI open on a table of runs and not on traces of agents.
        tags = {"mlflow.experimentKind": "custom_model_development"}
        location = None if store.is_server else store.artifacts
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=tags))
        except exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another process was faster
                raise
        experiment = client.get_experiment_by_name(name)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)  # a new run must have a home
    return str(experiment.experiment_id)


def _make(database: Path) -> None:
    """Make the database under another name first: one that is half made can never be mended."""
    if database.exists():
        return
    incoming = database.with_name(f"{database.name}.incoming")
    incoming.unlink(missing_ok=True)
    with _written_at_once(incoming):
        mlflow_module().MlflowClient(
            tracking_uri=f"{_SQLITE}{incoming.as_posix()}"
        ).search_experiments()
    with incoming.open("rb") as made:
        os.fsync(made.fileno())
    incoming.replace(database)


@contextmanager
def _written_at_once(database: Path) -> Iterator[None]:
    """Let SQLite not wait for the disk, as it would a thousand times in MLflow's migrations.

    That goes for `database` alone, whatever else this process has open.
    """
    event, engine = mlflow_module("sqlalchemy.event"), mlflow_module("sqlalchemy.engine").Engine

    def hurry(connection: object, _: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        (_, _, file), *_ = connection.execute("PRAGMA database_list")
        if Path(file).name == database.name:
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(engine, "connect", hurry)


def _migrate(database: Path) -> None:
    """Bring a database of an older MLflow up to this one; a copy of it stays beside it."""
    mlflow = mlflow_module()
    scripts = mlflow_module("alembic.script").ScriptDirectory(
        str(Path(mlflow.__path__[0]) / "store" / "db_migrations")
    )
    version = _schema_version(database)
    if version in {None, scripts.get_current_head()}:
        return
    if version not in {script.revision for script in scripts.walk_revisions()}:
        raise StoreError(f"{str(database)!r} was written by a newer MLflow; upgrade mlflow")
    incoming = database.with_name(f"{database.name}.incoming")
    for copy in (incoming, database.with_name(f"{database.name}.before-{mlflow.__version__}")):
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    uri = f"{_SQLITE}{incoming.as_posix()}"
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise StoreError(f"{str(database)!r} cannot be brought to this version: {reason}")
    incoming.replace(database)


def _schema_version(database: Path) -> str | None:
    """Return what MLflow calls the layout of its tables, or None where there are none yet."""
    try:
        with closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
        ) as opened:
            return str(opened.execute("SELECT version_num FROM alembic_version").fetchone()[0])
    except (sqlite3.Error, TypeError):
        return None


def _check_database(store: Store) -> None:
    path = store.database
    if path is None or not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(16)
    if start not in {b"", b"SQLite format 3\0"}:
        raise StoreError(
            f"{str(path)!r} is no database of runs; move it away, or choose another --out"
        )
