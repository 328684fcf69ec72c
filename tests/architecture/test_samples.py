"""The samples that every task draws: repeatable, and written whole or not at all."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transfer import load_task
from transfer.errors import OutputError
from transfer.images.pictures import PICTURE_SUFFIXES
from transfer.plugin.discovery import installed_tasks

TASKS = sorted(e.name for e in installed_tasks() if load_task(e.name).write_samples is not None)
Write = Callable[[Path, int, int], None]


@pytest.fixture(params=TASKS)
def write(request: pytest.FixtureRequest) -> Write:
    found = load_task(request.param).write_samples
    assert found is not None
    return found


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let no file grow over a hundred bytes, whoever writes it and however."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def pictures(folder: Path) -> set[bytes]:
    found = files(folder).items()
    return {content for name, content in found if Path(name).suffix in PICTURE_SUFFIXES}


def test_the_same_seed_gives_the_same_bytes(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "a", 20, 3)
    write(tmp_path / "b", 20, 3)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_another_seed_gives_other_pictures(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "a", 20, 0)
    write(tmp_path / "b", 20, 1)
    first, second = pictures(tmp_path / "a"), pictures(tmp_path / "b")
    assert first
    assert not first & second


def test_a_folder_in_use_is_refused_and_left_alone(write: Write, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not empty"):
        write(tmp_path, 10, 0)
    assert files(tmp_path) == {"mine.txt": b"keep me"}


def test_an_empty_folder_is_taken(write: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", 20, 0)
    assert pictures(tmp_path / "set")


def test_a_place_that_cannot_hold_a_folder_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "set", 10, 0)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_behind(write: Write, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too large"):
        write(tmp_path / "set", 20, 0)
    assert list(tmp_path.iterdir()) == []
