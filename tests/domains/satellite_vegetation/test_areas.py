import math
from itertools import pairwise

import numpy as np
import pytest

from tasks.satellite_vegetation.areas import cells_inside

rasterio = pytest.importorskip("rasterio", reason="pip install 'resnet-transfer[satellite]'")

from rasterio.crs import CRS  # noqa: E402
from rasterio.transform import Affine, from_origin  # noqa: E402

from tasks.satellite_vegetation.areas import CellAreas  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul")
MAJOR_M, ECCENTRICITY2 = 6_378_137.0, 0.00669437999014  # WGS 84


def zone(south: float, north: float) -> float:
    """Return the area of the ellipsoid between two parallels, a radian wide, m2.

    Snyder 1987, USGS Professional Paper 1395, formula 3-12.
    """
    e = math.sqrt(ECCENTRICITY2)

    def q(degrees: float) -> float:
        sine = math.sin(math.radians(degrees))
        log = math.log((1 - e * sine) / (1 + e * sine)) / (2 * e)
        return (1 - ECCENTRICITY2) * (sine / (1 - ECCENTRICITY2 * sine**2) - log)

    return MAJOR_M**2 / 2 * (q(north) - q(south))


@pytest.mark.parametrize("latitude", [0.0, 48.0, -69.0])
def test_cells_in_degrees_shrink_towards_the_poles(latitude: float) -> None:
    side = 0.01
    areas = CellAreas("EPSG:4326", from_origin(10, latitude, side, side), (200, 300))
    found = areas.of_rows(50, 100, (0, 300))
    edges = [latitude - (50 + row) * side for row in range(101)]
    expected = [zone(south, north) * math.radians(side) for north, south in pairwise(edges)]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_metres_of_utm_are_nearly_metres() -> None:
    areas = CellAreas(CRS.from_epsg(32632), from_origin(500_000, 5_400_000, 320, 320), (64, 64))
    # On its central meridian UTM is 0.9996 of the true length.
    assert areas.of_rows(0, 64, (0, 64)) == pytest.approx(320**2 / 0.9996**2, rel=1e-4)


def test_the_metres_of_web_mercator_are_not_believed() -> None:
    y = MAJOR_M * math.log(math.tan(math.pi / 4 + math.radians(60) / 2))
    areas = CellAreas("EPSG:3857", from_origin(1e6, y, 10, 10), (100, 100))
    assert areas.of_rows(0, 1, (0, 100))[0] == pytest.approx(
        100 * math.cos(math.radians(60)) ** 2, rel=0.01
    )


def test_a_turned_map_and_one_over_the_date_line_count_as_others_do() -> None:
    turned = from_origin(500_000, 5_400_000, 10, 10) * Affine.rotation(30)
    areas = CellAreas("EPSG:32632", turned, (100, 100))
    assert areas.of_rows(0, 100, (0, 100)) == pytest.approx(100 / 0.9996**2, rel=1e-4)
    over = CellAreas("EPSG:32660", from_origin(800_000, 6_000_000, 100, 100), (100, 2000))
    east, west = over.of_rows(0, 1, (0, 1000)), over.of_rows(0, 1, (1000, 2000))
    assert east == pytest.approx(west, rel=0.01)


def test_what_reaches_over_the_edge_counts_in_part() -> None:
    assert cells_inside(1, 3, 8, 20).tolist() == [1, 0.5, 0]
    assert cells_inside(0, 4, 1, 3).tolist() == [1, 1, 1, 0]
