"""What tests of every kind share: the command line, small data, stores and processes."""

import multiprocessing
import os
import pickle
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, NamedTuple

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from transfer.cli import app
from transfer.cli.app import main
from transfer.progress import Silent
from transfer.tracking import store as run_store
from transfer.tracking.door import silence

# Read by torch when it is imported: pytest-xdist already runs one test process on every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")


class Typed(NamedTuple):
    """What a command answered: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Typed]:
    """Type a command in this process; what it raises beyond an exit code is a traceback."""

    def command(*arguments: object) -> Typed:
        monkeypatch.setattr(sys, "argv", ["transfer", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Typed(int(ended.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture
def own_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Look at no store and no cache but those of the test."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Where the one empty database stands that MLflow makes for all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "empty store"
    folder.mkdir(exist_ok=True)
    return folder / "mlflow.db"


MAKE = run_store._make


@pytest.fixture(scope="session", autouse=True)
def _fresh_stores_are_copies(template: Path) -> Iterator[None]:
    """Let a fresh store begin as a copy of the empty database: to make one takes seconds."""

    def copy(database: Path) -> None:
        if database.exists():
            return
        with FileLock(template.with_suffix(".lock")):
            MAKE(template)
        shutil.copy2(template, database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_store, "_make", copy)
        yield


@pytest.fixture
def fresh_stores_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MLflow make the database of a fresh store, as it does outside of tests."""
    monkeypatch.setattr(run_store, "_make", MAKE)


# What most processes that tests start would spend their first ten seconds on.
_LOADED = (
    "transfer.resumption", "transfer.shipping.predictor", "transfer.tracking.mlflow_tracker",
    "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "torch._dynamo",
    "albumentations", "matplotlib.figure", "matplotlib.backends.backend_agg",
)  # fmt: skip

_STARTED = """
import atexit, os, sys
for number, end in ((1, out), (2, err)):
    os.dup2(end.fileno(), number)
os.environ.clear()
os.environ.update(environment)
os.chdir(folder)
sys.argv[:] = ["-c", *arguments]
try:
    exec(compile(code, "<started>", "exec"), {"__name__": "__main__"})
finally:
    atexit._run_exitfuncs()
"""


class Started:
    """A process of its own that runs some code, and what it says; used as a Popen is."""

    def __init__(self, code: str, arguments: Sequence[object], **differs: str) -> None:
        silence()
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_LOADED))
        reader, out = context.Pipe(duplex=False)
        self._err: IO[bytes] = TemporaryFile()  # noqa: SIM115  # open until the process ends
        given = {
            "code": code,
            "arguments": [str(argument) for argument in arguments],
            "environment": os.environ | differs,
            "folder": str(Path.cwd()),
            "out": out,
            "err": Connection(os.dup(self._err.fileno())),
        }
        self._process = context.Process(target=exec, args=(_STARTED, given))
        self._process.start()
        out.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")

    @property
    def returncode(self) -> int | None:
        """The exit code, negative where a signal ended it, None where nothing did yet."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def communicate(self, seconds: float = 300) -> tuple[str, str]:
        """Wait for its end; return what it said that was not read yet, and its errors."""
        self._process.join(seconds)
        if self.returncode is None:
            self._process.kill()
        with self.stdout, self._err:
            self._err.seek(0)
            return self.stdout.read(), self._err.read().decode()


@pytest.fixture(scope="session")
def start_python() -> Callable[..., Started]:
    """Run code in a process of its own.

    It is forked from one that has loaded our packages and done nothing else.
    """

    def start(code: str, *arguments: object, **environment: str) -> Started:
        return Started(code, arguments, **environment)

    return start


@pytest.fixture(scope="session")
def launch_two(start_python: Callable[..., Started]) -> Callable[..., list[Typed]]:
    """Run code in two processes with the variables that every launcher sets, to their ends."""

    def launch(code: str, *arguments: object) -> list[Typed]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
        started = [start_python(code, *arguments, **address, RANK=str(rank)) for rank in range(2)]
        said = [process.communicate() for process in started]
        return [
            Typed(process.returncode, *texts) for process, texts in zip(started, said, strict=True)
        ]

    return launch


@pytest.fixture
def pip_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Path], None]]:
    """Do what `pip install -e` does: the source on the path, the entry points beside it.

    Behind the test the package and its commands are forgotten.
    """
    site, names = tmp_path_factory.mktemp("site"), set()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(app.app, "registered_commands", [*app.app.registered_commands])

    def install(package: Path) -> None:
        about = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        monkeypatch.syspath_prepend(package / "src")
        info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
        info.mkdir(exist_ok=True)
        named = f"Name: {about['name']}\nVersion: {about['version']}\n"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
        lines = []
        for group, entries in about["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines))
        names.add(info.name.partition("-")[0])

    yield install
    for module in [each for each in sys.modules if each.partition(".")[0] in names]:
        del sys.modules[module]


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let promises about other processes be looked at in this one: they take seconds to start."""

    def ask(_: object, function: Callable[..., Any], *args: object) -> Any:
        return function(*pickle.loads(pickle.dumps(args)))  # noqa: S301  # our own

    monkeypatch.setattr("transfer.promises.fresh.Fresh.ask", ask)
    monkeypatch.setattr("transfer.promises.fresh.HEAVY", frozenset())


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Write so many pictures of each class, 40 x 48 px, below the test's folder.

    Each class has a brightness of its own; no two pictures are equal.
    """

    def write(count_of: Mapping[str, int], folder: str = "pictures") -> Path:
        rng = np.random.default_rng(0)
        for number, (label, count) in enumerate(count_of.items()):
            place = tmp_path / folder / label
            place.mkdir(parents=True)
            light = 255 * (number + 1) // (len(count_of) + 1)
            for picture in range(count):
                pixels = np.clip(rng.normal(light, 30, (40, 48, 3)), 0, 255).astype(np.uint8)
                file = place / f"{place.name} {picture}.png"
                Image.fromarray(pixels).save(file)
                os.utime(file, (1e9, 1e9))  # what is written this very moment is not remembered
        return tmp_path / folder

    return write


class Told(Silent):
    """A Progress that remembers what a person is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.notes.append(line)


@pytest.fixture
def told() -> Told:
    return Told()
