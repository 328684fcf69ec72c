"""Squares of land, so that neighbours, which look alike, stay in one split."""

import math
from collections.abc import Sequence

from transfer.images.places import Place

_METRES = 6_371_007.2 * math.pi / 180
"""Of a degree of latitude, on the sphere that has the area of WGS 84."""


def block_names(places: Sequence[Place | None], side_m: float) -> list[str]:
    """Return the name of the square in which each place lies, "" where there is no place.

    One grid covers the earth: rows of latitude, parted into squares along the parallel through
    their middle (the sinusoidal projection, piece by piece). A grid for each CRS would give land
    where two UTM zones overlap two names, and it could fall into two splits.

    Args:
        places: of the pictures' centres.
        side_m: of a square, metres.
    """
    return [_block(place, side_m) if place else "" for place in places]


def _block(place: Place, side_m: float) -> str:
    row = math.floor(place.lat * _METRES / side_m)
    middle = math.radians((row + 0.5) * side_m / _METRES)
    column = math.floor(place.lon * _METRES * max(math.cos(middle), 0.0) / side_m)
    return f"block {column} {row}"
