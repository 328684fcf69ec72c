from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from transfer.errors import ImageError, ManifestError
from transfer.images.framing import frame
from transfer.images.pictures import Pixels
from transfer.pixels.cache import Pictures, as_float, memory_for_pixels, stack
from transfer.samples.manifest import Row

SIZE = 8
BYTES = SIZE * SIZE * 3


class Disk:
    """Pictures of noise, and how often each was read."""

    def __init__(self, count: int) -> None:
        self.rows = [Row(Path(f"{number}.png")) for number in range(count)]
        self.read_count: Counter[str] = Counter()

    def read(self, row: Row) -> Pixels:
        self.read_count[row.path.name] += 1
        rng = np.random.default_rng(int(row.path.stem))
        return rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)

    def pictures(self, memory_bytes: int) -> Pictures:
        return Pictures(self.rows, self.read, size=SIZE, framing="crop", memory_bytes=memory_bytes)


def go_through(pictures: Pictures, times: int) -> None:
    for _ in range(times):
        for number in range(len(pictures.rows)):
            assert pictures[number].shape == (SIZE, SIZE, 3)


def test_each_picture_is_decoded_once_where_memory_allows() -> None:
    disk = Disk(5)
    go_through(disk.pictures(5 * BYTES), times=3)
    assert disk.read_count == {f"{number}.png": 1 for number in range(5)}


def test_nothing_is_kept_beyond_the_memory_given() -> None:
    disk = Disk(5)
    pictures = disk.pictures(3 * BYTES - 1)  # room for two
    go_through(pictures, times=3)
    assert sorted(disk.read_count.values()) == [1, 1, 3, 3, 3]
    assert sum(kept.nbytes for kept in pictures._in_memory.values()) == 2 * BYTES


def test_without_memory_each_look_decodes() -> None:
    disk = Disk(2)
    go_through(disk.pictures(0), times=2)
    assert set(disk.read_count.values()) == {2}


def test_processes_share_the_memory() -> None:
    disk = Disk(5)
    pictures = disk.pictures(5 * BYTES)
    pictures.share(2)  # 2.5 pictures for each
    go_through(pictures, times=2)
    assert sorted(disk.read_count.values()) == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("memory", [0, 10**6])
def test_pixels_are_those_of_the_one_framing_function(memory: int) -> None:
    disk = Disk(3)
    pictures = disk.pictures(memory)
    go_through(pictures, times=1)
    for number, row in enumerate(disk.rows):
        assert np.array_equal(pictures[number], frame(disk.read(row), SIZE, "crop"))


def test_a_picture_that_cannot_be_read_says_so_each_time() -> None:
    def refuse(row: Row) -> Pixels:
        raise ImageError(f"{row.path.name!r} is empty")

    pictures = Pictures([Row(Path("a.png"))], refuse, size=SIZE, framing="pad", memory_bytes=10**6)
    for _ in range(2):
        with pytest.raises(ImageError, match=r"'a\.png' is empty"):
            pictures[0]


def rows(count: int) -> list[Row]:
    return [Row(Path(f"folder/{number}.tif")) for number in range(count)]


def test_pictures_of_bytes_stay_bytes() -> None:
    ones = [np.full((2, 2, 3), number, np.uint8) for number in range(4)]
    together = stack(ones, rows(4))
    assert together.dtype == np.uint8
    assert together[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_mixed_bit_depths_become_floats_of_one_scale() -> None:
    together = stack(
        [np.full((2, 2, 3), 51, np.uint8), np.full((2, 2, 3), 0.2, np.float32)], rows(2)
    )
    assert together.dtype == np.float32
    assert np.allclose(together, 51 / 255)


def test_different_bands_are_refused_with_the_odd_file() -> None:
    pictures = [np.zeros((2, 2, bands), np.uint8) for bands in (3, 3, 4, 3)]
    with pytest.raises(ManifestError) as caught:
        stack(pictures, rows(4))
    assert str(caught.value) == (
        "'2.tif' has 4 bands, '0.tif' has 3; all pictures of a data set need the same bands"
    )


def test_floats_are_left_alone_and_bytes_are_divided_by_their_largest() -> None:
    deep = np.array([[[0.25]]], np.float32)
    assert as_float(deep) is deep
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    assert as_float(every).dtype == np.float32
    assert np.allclose(as_float(every).ravel(), [number / 255 for number in range(256)])


@pytest.mark.parametrize(("wish", "expected"), [(2.5, 2_500_000_000), (0.0, 0), (None, 250)])
def test_memory_is_as_asked_else_a_quarter_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch, wish: float | None, expected: int
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    assert memory_for_pixels(wish) == expected
