from pathlib import Path

import numpy as np
import pytest

from transfer.images.places import locate

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.transform import from_origin  # noqa: E402

# pytest hears warnings that the reader silences for everybody else.
pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")


def write(path: Path, **profile: object) -> Path:
    size = {"count": 1, "height": 5, "width": 7, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", **size, **profile) as file:
        file.write(np.zeros((1, 5, 7), np.uint8))
    return path


def test_a_file_says_where_it_lies(tmp_path: Path) -> None:
    # The central meridian of UTM zone 33 is 15 degrees east, at 500 km east; (0, 0) is the equator.
    placed = {"crs": "EPSG:32633", "transform": from_origin(500_000 - 35, 25, 10, 10)}
    utm = write(tmp_path / "utm.tif", **placed)
    there = {"crs": "EPSG:4326", "transform": from_origin(10, 50, 0.1, 0.2)}
    degrees = write(tmp_path / "degrees.tif", **there)
    nowhere, broken = write(tmp_path / "nowhere.tif"), tmp_path / "broken.tif"
    broken.touch()
    first, second, *others = locate([utm, degrees, nowhere, broken])
    assert first is not None
    assert second is not None
    assert others == [None, None]
    assert (first.crs, first.x, first.y, first.pixel) == ("EPSG:32633", 500_000, 0, (10, 10))
    assert (first.lon, first.lat) == pytest.approx((15, 0), abs=1e-9)
    assert (second.lon, second.lat) == pytest.approx((10 + 0.35, 50 - 0.5))
    assert second.pixel == pytest.approx((0.1, 0.2))
