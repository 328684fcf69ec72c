from pathlib import Path

import numpy as np
import pytest

from tasks.satellite_vegetation.bands import read_named_bands
from tasks.satellite_vegetation.scene import MOST_CACHED, open_scene
from tasks.satellite_vegetation.settings import Settings
from transfer import Recipe, Row, read_picture
from transfer.errors import ImageError
from transfer.images.geotiff import Window

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.enums import ColorInterp  # noqa: E402
from rasterio.env import get_gdal_config  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
BANDS = ("B2", "B3", "B4", "B8A")
LAND = np.random.default_rng(0).integers(1, 9000, (4, 20, 30), dtype=np.uint16)


def write(path: Path, stored: np.ndarray, names: tuple[str, ...] = (), **profile: object) -> Path:
    count, height, width = stored.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=stored.dtype,
        **profile,
    ) as file:  # fmt: skip
        file.write(stored)
        if names:
            file.descriptions = names
    return path


def recipe(bands: tuple[str, ...] = (), no_data: float | None = 0, **task: object) -> Recipe:
    return Recipe(bands=bands, no_data=no_data, task=Settings(**task))


@pytest.mark.parametrize(
    "settings", [{}, {"scale": 5e-5}, {"indices": ("ndvi=(B8A-B4)/(B8A+B4)",)}]
)
def test_a_window_is_what_a_chip_of_that_land_would_be(tmp_path: Path, settings: dict) -> None:
    path = write(tmp_path / "scene.tif", LAND, BANDS)
    bands = ("B8A", "ndvi", "B2") if "indices" in settings else ("B8A", "B2")
    chip = write(tmp_path / "chip.tif", LAND[:, 4:12, 5:25], BANDS)
    with open_scene(path, recipe(bands, **settings)) as scene:
        assert (scene.height, scene.width) == (20, 30)
        window = scene.read(Window(4, 5, 8, 20))
    expected = read_named_bands(Row(chip), bands, Settings(**settings))
    assert window.pixels.dtype == expected.dtype
    assert np.array_equal(window.pixels, expected)
    assert window.held.all()


def test_what_gdal_keeps_of_a_scene_is_bounded(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", LAND, BANDS)
    with open_scene(path, recipe(BANDS)):
        assert get_gdal_config("GDAL_CACHEMAX") == MOST_CACHED < 2**30


def test_colours_are_read_as_pictures_are(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 255, (3, 9, 9), dtype=np.uint8)
    path = write(tmp_path / "scene.tif", stored, photometric="RGB")
    with open_scene(path, recipe()) as scene:
        pixels = scene.read(Window(0, 0, 9, 9)).pixels
    assert np.array_equal(pixels, read_picture(path))


def test_colours_are_found_by_name_among_others(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(1, 255, (4, 9, 9), dtype=np.uint8)
    path = write(tmp_path / "scene.tif", stored)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [
            ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined,
        ]  # fmt: skip
    with open_scene(path, recipe()) as scene:
        pixels = scene.read(Window(0, 0, 9, 9)).pixels
    assert np.array_equal(pixels, stored[2::-1].transpose(1, 2, 0))


def test_a_scene_without_names_takes_those_that_are_given(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", LAND)
    with open_scene(path, recipe(("B8A",)), BANDS) as scene:
        assert scene.names == ("B8A",)
        assert np.allclose(scene.read(Window(0, 0, 20, 30)).pixels[..., 0], LAND[3] / 1e4)
    with open_scene(path, recipe(("B3",), file_bands=BANDS)) as scene:  # as the chips' files
        assert np.allclose(scene.read(Window(0, 0, 20, 30)).pixels[..., 0], LAND[1] / 1e4)
    with pytest.raises(ImageError, match=r"has no band B8A.*the file does not name them"):
        open_scene(path, recipe(("B8A",))).__enter__()


def test_own_names_count_more_than_those_of_the_chips(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", LAND, ("B8A", "B4", "B3", "B2"))
    for named in (BANDS, (*BANDS, "B9")):
        with open_scene(path, recipe(("B2",), file_bands=named)) as scene:
            assert np.allclose(scene.read(Window(0, 0, 20, 30)).pixels[..., 0], LAND[3] / 1e4)


def test_a_scene_of_other_bands_or_depth_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "scene.tif", LAND, BANDS)
    with pytest.raises(ImageError, match=r"has no band B12; its 4 bands are: 1 B2, 2 B3"):
        open_scene(path, recipe(("B2", "B12"))).__enter__()
    deep = write(tmp_path / "deep.tif", LAND[:3], photometric="RGB")
    with pytest.raises(ImageError, match=r"holds uint16, and the run learned from colours of 8 b"):
        open_scene(deep, recipe()).__enter__()


def test_a_pixel_holds_no_data_where_the_file_or_the_recipe_says_so(tmp_path: Path) -> None:
    stored = LAND.copy()
    stored[1, 3, 4] = 9999  # one band is enough
    stored[:, 5, 6] = 0
    path = write(tmp_path / "scene.tif", stored, BANDS, nodata=9999)
    for no_data, lost in ((0, [[3, 4], [5, 6]]), (None, [[3, 4]])):
        with open_scene(path, recipe(BANDS, no_data)) as scene:
            held = scene.read(Window(0, 0, 20, 30)).held
        assert np.argwhere(~held).tolist() == lost
