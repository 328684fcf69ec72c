"""A folder that is written whole or not at all."""

from pathlib import Path

import pytest

from transfer.errors import OutputError
from transfer.samples.new_folder import new_folder


def test_what_is_written_appears_at_once(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "set"
    with new_folder(target) as unfinished:
        (unfinished / "a.txt").write_text("a")
        assert not target.exists()
    assert (target / "a.txt").read_text() == "a"
    assert [path.name for path in target.parent.iterdir()] == ["set"]


def _write_and_fail(folder: Path, error: Exception) -> None:
    with new_folder(folder) as unfinished:
        (unfinished / "a.txt").write_text("a")
        raise error


def test_a_failure_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        _write_and_fail(tmp_path / "set", ZeroDivisionError())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_said_and_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left"):
        _write_and_fail(tmp_path / "set", OSError(28, "No space left on device"))
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"), new_folder(tmp_path):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    with new_folder(tmp_path / "set"):
        pass
    with new_folder(tmp_path / "set") as unfinished:
        (unfinished / "a.txt").write_text("a")
    assert (tmp_path / "set" / "a.txt").exists()
