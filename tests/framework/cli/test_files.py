"""Files that a command writes whole or not at all."""

from pathlib import Path

import pytest

from transfer.cli.files import whole_file
from transfer.errors import OutputError


def test_a_file_is_there_once_all_of_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with whole_file(out) as part:
        part.write_text("all")
        assert not out.exists()
    assert out.read_text() == "all"
    assert list(tmp_path.iterdir()) == [out]


def test_what_stood_there_stays_where_writing_fails(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("before")

    def fill() -> None:
        with whole_file(out) as part:
            part.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        fill()
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]
