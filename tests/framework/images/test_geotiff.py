from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from transfer.errors import ImageError, MissingPackageError
from transfer.images import extras
from transfer.images.geotiff import REFLECTANCE, Window, open_bands, read_bands
from transfer.images.pictures import read_picture

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.enums import ColorInterp  # noqa: E402

# pytest hears warnings that the reader silences for everybody else.
pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
RNG = np.random.default_rng(0)
LAND = RNG.integers(1, 9000, (4, 5, 7), dtype=np.uint16)  # bands, rows, columns
NAMES = ("B2", "B3", "B4", "B8A")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(
        bands: np.ndarray,
        names: Sequence[str] = (),
        scales: Sequence[float] = (),
        offsets: Sequence[float] = (),
        colours: Sequence[ColorInterp] = (),
        **profile: object,
    ) -> Path:
        path = tmp_path / "chip.tif"
        count, height, width = bands.shape
        stated = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
        with rasterio.open(path, "w", driver="GTiff", **stated, **profile) as file:
            file.write(bands)
            if names:
                file.descriptions = tuple(names)
            if scales:
                file.scales, file.offsets = tuple(scales), tuple(offsets)
            if colours:
                file.colorinterp = tuple(colours)
        return path

    return write


def unit(*bands: np.ndarray) -> np.ndarray:
    return np.dstack(bands) * np.float64(REFLECTANCE)


def test_bands_are_found_by_name_in_any_order(write: Callable[..., Path]) -> None:
    pixels = read_bands(write(LAND, NAMES), ["B8A", "b2"])
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    assert np.allclose(pixels, unit(LAND[3], LAND[0]), atol=1e-7)


def test_bands_are_found_by_number(write: Callable[..., Path]) -> None:
    assert np.allclose(read_bands(write(LAND, NAMES), ["4", "1"]), unit(LAND[3], LAND[0]))
    assert np.allclose(read_bands(write(LAND), ["4", "1"]), unit(LAND[3], LAND[0]))
    four = ["4", "3", "2", "1"]  # as many as there are, and still numbers
    assert np.allclose(read_bands(write(LAND), four), unit(*LAND[::-1]))


def test_a_file_without_names_takes_those_of_all_its_bands(write: Callable[..., Path]) -> None:
    path = write(LAND)
    assert np.allclose(read_bands(path, NAMES), unit(*LAND))
    chosen = read_bands(path, ["B8A", "B3"], file_bands=NAMES)
    assert np.allclose(chosen, unit(LAND[3], LAND[1]))


def test_a_file_without_names_but_with_colours_is_read_by_colour(
    write: Callable[..., Path],
) -> None:
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    path = write(LAND[:3].astype(np.uint8), colours=colours, photometric="RGB")
    stored = LAND[:3].astype(np.uint8)
    assert np.array_equal(read_bands(path, ["blue", "Green", "red"]), np.dstack(stored[::-1]))
    # Names that are none of its colours are those of the one who knows better.
    assert np.array_equal(read_bands(path, ["nir", "red", "green"]), np.dstack(stored))


@pytest.mark.parametrize(
    ("names", "wanted", "said"),
    [
        (NAMES, ["B2", "B9", "B10"], r"has no band B9, B10; its 4 bands are: 1 B2, 2 B3, 3 B4"),
        (NAMES, ["5"], "has no band 5"),
        (NAMES, ["0"], "has no band 0"),
        ((), ["nir"], "has no band nir; its 4 bands are: 1, 2, 3, 4; the file does not name them"),
        (("a", "a", "b", "c"), ["a"], "a is there more than once, give its number"),
    ],
)
def test_a_wrong_name_is_answered_with_what_there_is(
    write: Callable[..., Path], names: Sequence[str], wanted: list[str], said: str
) -> None:
    with pytest.raises(ImageError, match=f"chip.tif' .*{said}"):
        read_bands(write(LAND, names), wanted)


def test_a_wrong_list_of_the_files_bands_is_refused(write: Callable[..., Path]) -> None:
    with pytest.raises(ImageError, match="has 4 bands, and 2 are named as the bands of a file"):
        read_bands(write(LAND), ["nir"], file_bands=["red", "nir"])


def test_bytes_stay_bytes(write: Callable[..., Path]) -> None:
    stored = RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8)
    pixels = read_bands(write(stored), ["2", "5"])
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.dstack([stored[1], stored[4]]))
    scaled = read_bands(write(stored), ["2"], scale=0.002)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled[:, :, 0], stored[1] * 0.002)


def test_integers_and_floats_are_cut_off_at_both_ends(write: Callable[..., Path]) -> None:
    signed = np.array([[[-500, 0, 5000, 10_000, 15_000]]], np.int16)
    assert np.allclose(read_bands(write(signed), ["1"]).ravel(), [0, 0, 0.5, 1, 1])
    floats = np.array([[[-0.1, 0.0, 0.5, 1.0, 1.6]]], np.float32)
    assert np.allclose(read_bands(write(floats), ["1"]).ravel(), [0, 0, 0.5, 1, 1])


def test_scale_and_offset_of_the_file_count_unless_one_is_given(
    write: Callable[..., Path],
) -> None:
    path = write(LAND[:2], scales=(1e-4, 5e-5), offsets=(-0.1, 0))
    pixels = read_bands(path, ["1", "2"])
    assert np.allclose(pixels[:, :, 0], np.clip(LAND[0] * 1e-4 - 0.1, 0, 1), atol=1e-6)
    assert np.allclose(pixels[:, :, 1], LAND[1] * 5e-5, atol=1e-6)
    assert np.allclose(read_bands(path, ["1"], scale=1e-5)[:, :, 0], LAND[0] * 1e-5)


@pytest.mark.parametrize("stored", [np.uint16(40_000), np.float32(3000), np.int32(60_000)])
def test_values_far_beyond_white_are_refused(
    write: Callable[..., Path], stored: np.generic
) -> None:
    with pytest.raises(ImageError, match="set what a stored 1 is worth"):
        read_bands(write(np.full((1, 3, 3), stored)), ["1"])


def test_what_holds_no_data_becomes_zero_in_its_band(write: Callable[..., Path]) -> None:
    stored = LAND.astype(np.int16)
    stored[:, 0, 0] = -9999
    stored[1, 2, 2] = -9999
    pixels = read_bands(write(stored, NAMES, nodata=-9999), ["B3", "B8A"])
    assert (pixels[0, 0] == 0).all()
    assert pixels[2, 2, 0] == 0
    assert (pixels > 0).sum() == pixels.size - 3
    floats = (LAND * REFLECTANCE).astype(np.float32)
    floats[:, 0, 0] = np.nan
    pixels = read_bands(write(floats), ["1", "2"])
    assert (pixels[0, 0] == 0).all()
    assert (pixels > 0).sum() == pixels.size - 2


def test_transparent_pixels_hold_no_data(write: Callable[..., Path]) -> None:
    stored = RNG.integers(1, 256, (4, 3, 3), dtype=np.uint8)
    stored[3] = 255
    stored[3, 1, 1] = 0
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    path = write(stored, colours=colours)
    pixels = read_bands(path, ["red", "blue"])
    assert (pixels[1, 1] == 0).all()
    assert (pixels > 0).sum() == pixels.size - 2
    # Four bytes a pixel are written as colours and alpha by habit; named, they are bands.
    assert np.array_equal(read_bands(path, NAMES), np.dstack(stored))


def test_only_the_bands_asked_for_are_read(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, asked = write(LAND, NAMES), []
    read = rasterio.io.DatasetReader.read

    class Watched(rasterio.io.DatasetReader):
        def read(self, indexes: list[int], **options: object) -> np.ndarray:
            asked.append(indexes)
            return read(self, indexes, **options)

    monkeypatch.setattr(rasterio, "open", lambda path: Watched(rasterio._path._parse_path(path)))
    read_bands(path, ["B8A"])
    assert asked == [[4]]


def test_a_file_of_several_bands_is_never_read_as_one(write: Callable[..., Path]) -> None:
    with pytest.raises(ImageError, match="needs a task that reads bands"):
        read_picture(write(LAND, interleave="pixel"))
    with pytest.raises(ImageError, match="needs a task that reads bands"):
        read_picture(write(LAND, interleave="band", compress="lzw"))


def test_damaged_files_are_refused_by_name(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(LAND, NAMES)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(ImageError, match=r"chip\.tif' cannot be read: "):
        read_bands(path, ["B2"])
    path.write_text("no picture")
    with pytest.raises(ImageError, match=r"chip\.tif' cannot be read: .*not recognized"):
        read_bands(path, ["B2"])
    with pytest.raises(ImageError, match=r"gone\.tif' cannot be read: "):
        read_bands(tmp_path / "gone.tif", ["B2"])


def test_windows_are_the_parts_of_the_whole(write: Callable[..., Path]) -> None:
    stored = LAND.astype(np.int16)
    stored[2, 1, 3] = -1
    path = write(stored, NAMES, nodata=-1)
    whole = read_bands(path, ["B4", "B2"])
    with open_bands(path, ["B4", "B2"]) as opened:
        part = opened.read(Window(1, 2, 3, 4))
        assert np.array_equal(part.pixels, whole[1:4, 2:6])
        assert np.argwhere(~part.held).tolist() == [[0, 1]]
        assert np.array_equal(opened.read().pixels, whole)


def test_one_cloud_is_no_reason_to_refuse_a_scene(write: Callable[..., Path]) -> None:
    stored = LAND.copy()
    stored[:, :2, :2] = 30_000
    with open_bands(write(stored), NAMES) as opened:
        with pytest.raises(ImageError, match="set what a stored 1 is worth"):
            opened.read(Window(0, 0, 2, 2))
        assert (opened.read(Window(0, 0, 2, 2), check=False).pixels == 1).all()


def test_what_goes_wrong_while_a_scene_is_open_is_not_blamed_on_it(
    write: Callable[..., Path],
) -> None:
    with pytest.raises(OSError, match="^no space left$"), open_bands(write(LAND), ["1"]):
        raise OSError("no space left")


def test_without_rasterio_the_pip_line_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_there(module: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(extras, "import_module", not_there)
    with pytest.raises(MissingPackageError, match=r"pip install 'resnet-transfer\[satellite\]'"):
        read_bands(tmp_path / "chip.tif", ["B2"])
