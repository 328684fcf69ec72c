"""What is damaged, hostile or no picture at all."""

import contextlib
import io
import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from transfer.errors import ImageError
from transfer.images.pictures import read_picture

# pytest replaces the filters that the module sets where it is imported.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL", "ignore::Warning:PIL.Image")

HEIGHT, WIDTH = 5, 7
RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def by_opencv(suffix: str, rgb: np.ndarray) -> bytes:
    order = [2, 1, 0, 3][: rgb.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(rgb[:, :, order]))[1].tobytes()


@pytest.mark.parametrize("odd", [1.5, -0.1, np.nan])
def test_floats_out_of_range_are_refused(odd: float) -> None:
    values = np.array([[0.0, odd]], np.float32)
    with pytest.raises(ImageError, match="float pixels from"):
        read_picture(encoded(Image.fromarray(values), "TIFF"))


def test_negative_pixels_are_refused() -> None:
    with pytest.raises(ImageError, match="negative pixels"):
        read_picture(encoded(Image.fromarray(np.array([[-5, 5]], np.int32)), "TIFF"))


def test_a_tiff_of_several_pages_is_refused() -> None:
    pages = [Image.fromarray(GREY) for _ in range(3)]
    with pytest.raises(ImageError, match="3 pages"):
        read_picture(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM"])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    noise = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "cut off.img"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=r"cut off\.img' cannot be read: ."):
        read_picture(path)


def test_a_truncated_16_bit_picture_is_refused() -> None:
    noise = RNG.integers(0, 2**16, (64, 64, 3), dtype=np.uint16)
    for suffix in (".png", ".tiff", ".ppm"):
        data = by_opencv(suffix, noise)
        with pytest.raises(ImageError):
            read_picture(data[: len(data) * 2 // 3])


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ImageError, match=r"empty\.jpg' is empty \(0 bytes\)"):
        read_picture(path)


def test_what_is_no_picture_is_refused_by_what_it_starts_with() -> None:
    with pytest.raises(ImageError, match=r"starts with b'%PDF-1\.7'"):
        read_picture(b"%PDF-1.7 and more")


def test_other_programs_are_not_started() -> None:
    with pytest.raises(ImageError, match="no picture"):
        read_picture(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png' cannot be read: No such file"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(ImageError, match="cannot be read"):
        read_picture(tmp_path)


def bomb() -> bytes:
    """Return a few bytes that unfold to 400 million pixels."""
    data = bytearray(encoded(Image.new("1", (1, 1)), "BMP"))
    data[18:26] = np.array([20_000, 20_000], "<i4").tobytes()
    return bytes(data)


def test_a_decompression_bomb_is_refused_before_it_unfolds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ImageError, match="decompression bomb"):
        read_picture(bomb())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # as programs do that trust their files
    with pytest.raises(ImageError, match="decompression bomb: 20000 x 20000 px"):
        read_picture(bomb())


def test_a_large_picture_below_the_limit_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # 35 px: Pillow would warn
    data = encoded(Image.fromarray(RGB), "PNG")
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        assert np.array_equal(read_picture(data), RGB)
    assert not caught
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(ImageError, match="decompression bomb"):
            read_picture(data)


def test_warnings_of_the_decoder_stay_inside() -> None:
    code = (
        "import io; from PIL import Image; from transfer.images.pictures import read_picture\n"
        "Image.MAX_IMAGE_PIXELS = 20; f = io.BytesIO(); Image.new('RGB', (5, 5)).save(f, 'PNG')\n"
        "read_picture(f.getvalue())"
    )
    said = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stderr == ""


def test_damaged_metadata_do_not_make_a_good_picture_bad() -> None:
    data = encoded(Image.fromarray(RGB), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert read_picture(data).shape == (HEIGHT, WIDTH, 3)


def test_random_damage_gives_pixels_or_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    rng = np.random.default_rng(3)
    for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "PPM"):
        whole = np.frombuffer(encoded(Image.fromarray(RGB), kind), np.uint8)
        for _ in range(50):
            data = whole.copy()
            data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            with contextlib.suppress(ImageError):
                assert read_picture(data.tobytes()).shape[2] == 3
