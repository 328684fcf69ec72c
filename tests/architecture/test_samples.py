"""The samples that our tasks draw are written whole or not at all; the rest they promise."""

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


def test_an_empty_folder_is_taken(write: Write, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    write(tmp_path / "set", 20, 0)
    assert [path for path in (tmp_path / "set").rglob("*") if path.suffix in PICTURE_SUFFIXES]


def test_a_place_that_cannot_hold_a_folder_is_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "set", 10, 0)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_nothing_behind(write: Write, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="too large"):
        write(tmp_path / "set", 20, 0)
    assert list(tmp_path.iterdir()) == []
