import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer.errors import ImageError
from transfer.images import frames
from transfer.images.frames import read_frame
from transfer.images.pictures import Pixels, read_picture


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded, in order."""
    names: list[str] = []

    def read(path: Path) -> Pixels:
        names.append(path.name)
        return read_picture(path)

    monkeypatch.setattr(frames, "read_picture", read)
    return names


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for number, path in enumerate(paths):
        Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(path)
    return paths


def test_a_frame_is_decoded_once_while_it_is_the_last(two: list[Path], decoded: list[str]) -> None:
    for path in (two[0], two[0], two[1], two[1], two[0]):
        np.testing.assert_array_equal(read_frame(path), read_picture(path))
    assert decoded == ["a.png", "b.png", "a.png"]


def test_a_file_that_changed_is_decoded_again(two: list[Path], decoded: list[str]) -> None:
    read_frame(two[0])
    Image.fromarray(np.full((4, 5, 3), 9, np.uint8)).save(two[0])
    os.utime(two[0], (1e9, 1e9))
    assert read_frame(two[0]).max() == 9
    assert len(decoded) == 2


def test_every_thread_keeps_its_own(two: list[Path], decoded: list[str]) -> None:
    read_frame(two[0])
    thread = threading.Thread(target=read_frame, args=(two[1],))
    thread.start()
    thread.join()
    read_frame(two[0])
    assert decoded == ["a.png", "b.png"]


def test_nobody_writes_to_what_others_will_see(two: list[Path]) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_frame(two[0])[0, 0, 0] = 1


def test_a_file_that_cannot_be_read_says_so_each_time(two: list[Path], tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(b"no picture")
    for path in (tmp_path / "c.png", tmp_path / "absent.png"):
        for _ in range(2):
            with pytest.raises(ImageError, match=path.name):
                read_frame(path)
    assert read_frame(two[1]).max() == 1
