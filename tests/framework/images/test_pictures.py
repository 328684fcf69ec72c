import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from transfer.errors import ImageError
from transfer.images import pictures
from transfer.images.pictures import DICOM_SUFFIXES, PICTURE_SUFFIXES, read_picture

# pytest replaces the filters that the module sets where it is imported.
pytestmark = pytest.mark.filterwarnings(r"ignore::UserWarning:PIL", "ignore::Warning:PIL.Image")

HEIGHT, WIDTH = 5, 7
RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
DEEP = RNG.integers(0, 2**16, (HEIGHT, WIDTH, 3), dtype=np.uint16)
DEEP[0, 0] = (0, 300, 65535)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def by_opencv(suffix: str, rgb: np.ndarray) -> bytes:
    order = [2, 1, 0, 3][: rgb.shape[2]]
    return cv2.imencode(suffix, np.ascontiguousarray(rgb[:, :, order]))[1].tobytes()


def with_tag(tiff: bytes, tag: int, value: int) -> bytes:
    """Return a little-endian TIFF in whose directory the short `tag` has another value."""
    data = bytearray(tiff)
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<H", data, entry + 8, value)
            return bytes(data)
    raise AssertionError(f"no tag {tag}")


def test_a_plain_jpeg_gives_what_pillow_decodes(tmp_path: Path) -> None:
    smooth = cv2.resize(RGB, (70, 50), interpolation=cv2.INTER_CUBIC)
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(Image.fromarray(smooth), "JPEG"))
    pixels = read_picture(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (50, 70, 3)
    assert np.array_equal(pixels, np.asarray(Image.open(path)))
    assert pixels.flags.writeable
    assert np.array_equal(read_picture(path.read_bytes()), pixels)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF"])
def test_lossless_formats_give_the_pixels_back(kind: str) -> None:
    assert np.array_equal(read_picture(encoded(Image.fromarray(RGB), kind)), RGB)


def test_lossless_webp_gives_the_pixels_back() -> None:
    data = encoded(Image.fromarray(RGB), "WEBP", lossless=True, exact=True)
    assert np.array_equal(read_picture(data), RGB)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_grey_is_repeated(kind: str) -> None:
    pixels = read_picture(encoded(Image.fromarray(GREY), kind))
    assert np.array_equal(pixels, np.dstack([GREY] * 3))


def test_one_bit_is_black_and_white() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert read_picture(encoded(bits, "PNG"))[:, :, 0].tolist() == [[0, 255], [255, 0]]


def test_a_palette_is_looked_up() -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    assert read_picture(encoded(picture, "PNG")).tolist() == [[[10, 20, 30], [40, 50, 60]]]


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_what_a_palette_makes_transparent_is_white(transparency: int | bytes) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    pixels = read_picture(encoded(picture, "PNG", transparency=transparency))
    assert pixels.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_alpha_is_laid_over_white() -> None:
    alpha = np.array([[0, 51, 255]], np.uint8)
    colour = np.array([[[0, 0, 0], [100, 0, 200], [9, 8, 7]]], np.uint8)
    pixels = read_picture(encoded(Image.fromarray(np.dstack([colour, alpha])), "PNG"))
    share = alpha[:, :, np.newaxis] / 255
    assert np.abs(pixels - (colour * share + 255 * (1 - share))).max() <= 0.5


def test_grey_with_alpha_is_laid_over_white() -> None:
    pixels = read_picture(encoded(Image.new("LA", (2, 2), (0, 0)), "PNG"))
    assert (pixels == 255).all()


def test_a_transparent_colour_of_a_png_is_white() -> None:
    picture = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    pixels = read_picture(encoded(picture, "PNG", transparency=(1, 2, 3)))
    assert pixels.tolist() == [[[255, 255, 255], [4, 5, 6]]]


def test_cmyk_becomes_rgb() -> None:
    pixels = read_picture(encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_rotated_and_an_upright_copy_give_the_same_pixels(kind: str, orientation: int) -> None:
    upright = np.full((32, 48, 3), 255, np.uint8)
    upright[:16, :16] = (255, 0, 0)
    upright[:16, 32:] = (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    stored = Image.fromarray(as_stored(upright, orientation))
    turned = read_picture(encoded(stored, kind, exif=exif, **options))
    plain = read_picture(encoded(Image.fromarray(upright), kind, **options))
    assert turned.shape == plain.shape
    # A JPEG's blocks are the same, but decoded in another order.
    assert np.abs(turned.astype(int) - plain).max() <= (3 if kind == "JPEG" else 0)
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_deep_pictures_are_turned_as_well(suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    kind = {".png": "PNG", ".tiff": "TIFF"}[suffix]
    grey = Image.fromarray(np.ascontiguousarray(as_stored(DEEP[:, :, :1], orientation)[:, :, 0]))
    pixels = read_picture(encoded(grey, kind, exif=exif))
    assert np.allclose(pixels, DEEP[:, :, :1] / 65535, atol=1e-7)


def as_stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """Return the array a camera stores, from the words of the EXIF standard (row 0, column 0)."""
    sides = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }  # fmt: skip
    row0, column0 = sides[orientation]
    stored = upright if row0 in {"top", "bottom"} else upright.swapaxes(0, 1)
    if row0 in {"bottom", "right"}:
        stored = stored[::-1]
    if column0 in {"bottom", "right"}:
        stored = stored[:, ::-1]
    return np.ascontiguousarray(stored)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_16_bit_grey_is_scaled_and_not_clipped(suffix: str) -> None:
    pixels = read_picture(cv2.imencode(suffix, DEEP[:, :, 0])[1].tobytes())
    assert pixels.dtype == np.float32
    assert np.allclose(pixels, np.dstack([DEEP[:, :, 0] / 65535] * 3), atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".ppm"])
def test_16_bit_colour_keeps_both_bytes(suffix: str) -> None:
    pixels = read_picture(by_opencv(suffix, DEEP))
    assert pixels.dtype == np.float32
    assert np.allclose(pixels, DEEP / 65535, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_16_bit_colour_is_turned(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    marked = with_exif(by_opencv(".png", as_stored(DEEP, orientation)), exif)
    assert np.allclose(read_picture(marked), DEEP / 65535, atol=1e-7)


def with_exif(png: bytes, exif: Image.Exif) -> bytes:
    body = exif.tobytes().removeprefix(b"Exif\x00\x00")
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body
    chunk += struct.pack(">I", zlib.crc32(b"eXIf" + body))
    return png[:33] + chunk + png[33:]  # 8 bytes of signature, 25 of header


def test_16_bit_alpha_is_laid_over_white() -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 13107, np.uint16)  # a fifth
    pixels = read_picture(by_opencv(".png", np.dstack([DEEP, alpha])))
    assert np.allclose(pixels, DEEP / 65535 * 0.2 + 0.8, atol=1e-6)


@pytest.mark.parametrize("highest", [1023, 4095])
def test_the_declared_depth_of_a_ppm_counts(highest: int) -> None:
    values = np.array([[[0, 1, highest], [7, highest // 2, 100]]])
    header = f"P6\n2 1\n{highest}\n".encode()
    pixels = read_picture(header + values.astype(">u2").tobytes())
    assert np.allclose(pixels, values / highest, atol=1e-6)
    grey = read_picture(f"P5\n3 2\n{highest}\n".encode() + values.astype(">u2").tobytes())
    assert np.allclose(grey[:, :, 0], values.reshape(2, 3) / highest, atol=1e-4)


def test_32_bit_grey_is_scaled() -> None:
    values = np.array([[0, 2**31 - 1], [2**30, 5]], np.int32)
    tiff = encoded(Image.fromarray(values), "TIFF")
    assert np.allclose(read_picture(tiff)[:, :, 0], values / (2**31 - 1))
    unsigned = read_picture(with_tag(tiff, 339, 1))
    assert np.allclose(unsigned[:, :, 0], values / (2**32 - 1))


def test_white_is_zero_is_inverted() -> None:
    tiff = encoded(Image.fromarray(DEEP[:, :, 0]), "TIFF")
    pixels = read_picture(with_tag(tiff, 262, 0))
    assert np.allclose(pixels[:, :, 0], 1 - DEEP[:, :, 0] / 65535, atol=1e-6)


def test_floats_in_range_stay_as_they_are() -> None:
    values = (GREY / 255).astype(np.float32)
    pixels = read_picture(encoded(Image.fromarray(values), "TIFF"))
    assert pixels.dtype == np.float32
    assert np.array_equal(pixels[:, :, 2], values)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (read_picture(data) == (255, 0, 0)).all()


def test_bands_that_are_no_colours_are_refused() -> None:
    four = with_tag(encoded(Image.fromarray(np.dstack([RGB, GREY])), "TIFF"), 338, 0)
    with pytest.raises(ImageError, match="4 bands, of which only R"):
        read_picture(four)


def test_more_bands_than_colours_are_refused() -> None:
    with pytest.raises(ImageError):
        read_picture(with_tag(encoded(Image.fromarray(RGB), "TIFF"), 277, 13))


def test_every_suffix_belongs_to_a_format_that_is_read() -> None:
    Image.init()
    for suffix in PICTURE_SUFFIXES - DICOM_SUFFIXES:
        assert Image.EXTENSION[suffix] in pictures._FORMATS
