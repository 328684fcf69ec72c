import math

import numpy as np

from tasks.satellite_vegetation.blocks import block_names
from transfer.images.places import Place

KM = 1 / 111.195  # degrees of latitude


def at(lon: float, lat: float) -> Place:
    return Place("EPSG:4326", lon, lat, lon, lat, (1, 1))


def test_a_block_is_as_wide_and_as_high_as_asked_at_any_latitude() -> None:
    for latitude in (0.0, 48.0, -70.0):
        # Points each 100 m along a parallel and along a meridian, over 40 km.
        steps = np.arange(400) * 0.1 * KM
        east = [at(10 + step / math.cos(math.radians(latitude)), latitude) for step in steps]
        north = [at(10, latitude + step) for step in steps]
        assert len(set(block_names(east, 5000))) in {8, 9}
        rows = [name.split()[2] for name in block_names(north, 5000)]
        assert len(set(rows)) in {8, 9}
        counts = np.unique(rows, return_counts=True)[1]
        assert counts.max() <= 51


def test_land_has_one_name_whatever_the_projection() -> None:
    utm32 = Place("EPSG:32632", 0, 0, 12.0, 50.0, (10, 10))
    utm33 = Place("EPSG:32633", 0, 0, 12.0, 50.0, (10, 10))
    assert len(set(block_names([utm32, utm33, at(12.0, 50.0)], 1000))) == 1


def test_east_and_west_and_north_and_south_are_different_blocks() -> None:
    places = [at(lon, lat) for lon in (-0.01, 0.01) for lat in (-0.01, 0.01)]
    assert len(set(block_names(places, 5000))) == 4


def test_the_poles_have_blocks_and_no_place_has_none() -> None:
    assert block_names([at(0, 90), at(0, -90), None], 5000)[2] == ""
    assert all(block_names([at(0, 90), at(0, -90)], 5000))
