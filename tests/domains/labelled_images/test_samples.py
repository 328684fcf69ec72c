from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.labelled_images.samples import SHAPES, write_samples


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("count", [3, 40, 47])
def test_the_count_is_met_and_the_classes_are_even(tmp_path: Path, count: int) -> None:
    write_samples(tmp_path / "shapes", count, seed=0)
    counts = [len(list((tmp_path / "shapes" / name).glob("*"))) for name in SHAPES]
    assert sum(counts) == count
    assert max(counts) - min(counts) <= 1


def test_files_are_of_two_formats_and_of_many_sizes_in_every_class(tmp_path: Path) -> None:
    write_samples(tmp_path / "shapes", 60, seed=0)
    for name in SHAPES:
        formats, sizes = set(), set()
        for path in (tmp_path / "shapes" / name).iterdir():
            with Image.open(path) as picture:
                formats.add(picture.format)
                sizes.add(picture.size)
        assert formats == {"JPEG", "PNG"}
        assert len(sizes) > 6
        assert all(64 <= side <= 96 for size in sizes for side in size)


def test_a_shape_is_told_by_how_much_of_its_circle_it_fills(tmp_path: Path) -> None:
    write_samples(tmp_path / "shapes", 100, seed=0)
    filled = {name: np.mean(_filled(tmp_path / "shapes" / name)) for name in SHAPES}
    # Areas of the regular shapes over that of the circle round them, by trigonometry.
    expected = {
        "triangle": 3 / 2 * np.sin(2 * np.pi / 3) / np.pi,
        "square": 2 / np.pi,
        "disc": 1.0,
        "star": 12 / 2 * 0.55 * np.sin(np.pi / 6) / np.pi,
        "cross": 8 / 2 * 0.35 * np.sin(np.pi / 4) / np.pi,
    }
    for name, share in expected.items():
        assert filled[name] == pytest.approx(share, abs=0.08)


def _filled(folder: Path) -> list[float]:
    """Return the area of each shape over that of the circle through its furthest px."""
    shares = []
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            pixels = np.asarray(picture, np.int64)
        colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
        inside = (pixels == colours[counts.argmax()]).all(2)  # the one colour without noise
        where = np.argwhere(inside)
        reach = np.linalg.norm(where - where.mean(0), axis=1).max()
        shares.append(inside.sum() / (np.pi * reach**2))
    return shares
