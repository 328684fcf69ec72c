"""What tests of every kind share: the command line, small data, and a tracker that remembers."""

import os
import pickle
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from transfer.cli import app
from transfer.cli.app import main
from transfer.progress import Silent
from transfer.tracking.tracker import DataInput, RunDescription, Status

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


class Recorder:
    """A Tracker that remembers what it is told."""

    def __init__(self) -> None:
        self.run: RunDescription | None = None
        self.resumed: str | None = None
        self.tags: dict[str, str] = {}
        self.numbers: dict[tuple[str, int], float] = {}
        self.inputs: list[DataInput] = []
        self.files: dict[str, bytes] = {}
        self.model: dict[str, bytes] = {}
        self.status: Status | None = None
        self.left = False

    def start(self, run: RunDescription, resume: str | None = None) -> str:
        if not self.left:
            self.run, self.resumed = run, resume
        return "recorded"

    def tag(self, tags: Mapping[str, str]) -> None:
        self.tags |= tags

    def log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        self.numbers |= {(name, step): value for name, value in numbers.items()}

    def read(self, inputs: Sequence[DataInput]) -> None:
        self.inputs += inputs

    def keep(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def keep_model(self, write: Callable[[Path], None]) -> None:
        with TemporaryDirectory() as folder:
            write(Path(folder))
            self.model = {path.name: path.read_bytes() for path in Path(folder).iterdir()}

    def finish(self, status: Status) -> str:
        self.status = status
        return "recorded"

    def leave(self) -> str:
        self.left = True
        return "recorded"


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


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
