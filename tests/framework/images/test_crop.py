from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from transfer.errors import ImageError
from transfer.images.crop import Box, crop, upright_size

PIXELS = np.arange(10 * 20 * 3, dtype=np.uint8).reshape(10, 20, 3)


@pytest.mark.parametrize(
    ("box", "margin", "rows", "columns"),
    [
        ((2, 3, 5, 7), 0, (3, 7), (2, 5)),
        ((2.9, 3.1, 5.1, 6.9), 0, (3, 7), (2, 6)),  # a pixel that is touched is shown
        ((4, 4, 8, 6), 0.5, (3, 7), (2, 10)),  # each side by its own length
        ((-3, -3, 2, 2), 0, (0, 2), (0, 2)),  # nothing is made up beyond the edges
        ((18, 8, 30, 30), 0.1, (5, 10), (16, 20)),
    ],
)
def test_the_box_and_its_margin_are_cut_out(
    box: tuple[float, ...], margin: float, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    part = crop(PIXELS, Box(*box), margin)
    assert np.array_equal(part, PIXELS[slice(*rows), slice(*columns)])


def test_a_part_does_not_keep_the_whole_in_memory() -> None:
    assert crop(PIXELS, Box(0, 0, 2, 2)).base is None


def test_a_box_beside_the_picture_is_refused() -> None:
    with pytest.raises(ImageError, match=r"20 x 10 px, and the box 20\.0,0\.0,25\.0,5\.0 holds"):
        crop(PIXELS, Box(20, 0, 25, 5))


def test_a_box_is_named_exactly() -> None:
    assert str(Box(1, 2.5, 1234.567, 4)) == "1.0,2.5,1234.567,4.0"


def test_a_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    picture = Image.new("RGB", (30, 20))
    picture.save(tmp_path / "a.jpg")
    exif = picture.getexif()
    exif[0x0112] = 6  # lying on its side
    picture.save(tmp_path / "b.jpg", exif=exif)
    assert upright_size(tmp_path / "a.jpg") == (30, 20)
    assert upright_size(tmp_path / "b.jpg") == (20, 30)
    (tmp_path / "c.jpg").write_text("no picture")
    with pytest.raises(ImageError, match="'.*c.jpg' cannot be opened"):
        upright_size(tmp_path / "c.jpg")
