"""Textures and shapes that land cover is drawn with, all on one square of SIDE px."""

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 128
"""Side of a drawing, px of 5 m; the sensor averages 2 x 2 of them."""

_KINDS = 1021  # of lots; a prime, so that neighbours differ

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Areas = NDArray[np.int64]
Rng = np.random.Generator


def axes(rng: Rng) -> tuple[Plane, Plane]:
    """Return coordinates u and v (SIDE, SIDE), px from the centre, in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = math.cos(angle), math.sin(angle)  # of Python, or the planes become float64
    y, x = _grid()
    return x * cos + y * sin, y * cos - x * sin


def smooth(rng: Rng, scale: float) -> Plane:
    """Return noise without detail below `scale` px; mean 0, about unit variance."""
    coarse = rng.standard_normal((int(SIDE / scale) + 3,) * 2, np.float32)
    noise: Plane = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return noise


def rough(rng: Rng, slope: float) -> Plane:
    """Return noise whose amplitude falls as frequency ** -slope; mean 0, unit variance.

    A slope of 1 has equal contrast at every scale, as natural land does (Burton and Moorhead 1987,
    doi:10.1364/AO.26.000157).
    """
    waves = rng.standard_normal((SIDE, SIDE // 2 + 1, 2), np.float32).view(np.complex64)[..., 0]
    field: Plane = np.fft.irfft2(waves * _frequency() ** -slope).astype(np.float32)
    field /= field.std()
    return field


def relief(rng: Rng, strength: float) -> Plane:
    """Return the light on rolling terrain: 1 on average, brighter on slopes that face the sun."""
    slope = np.diff(rough(rng, 1.9), axis=1, prepend=0)
    slope[:, 0] = slope[:, 1]
    light: Plane = 1 + strength * slope / slope.std()
    return light


def uneven(rng: Rng, plane: Plane, strength: float) -> Plane:
    """Return coordinates bent by up to about `strength` px, so that straight lines wander."""
    bent: Plane = plane + strength * smooth(rng, SIDE / 4)
    return bent


def parcels(rng: Rng, u: Plane, v: Plane, width: float, length: float) -> Areas:
    """Return the number of the parcel of each px: strips along v, each cut at its own places."""
    v = v + rng.uniform(-0.4, 0.4) * u  # no country is surveyed in right angles only
    strips = np.digitize(u, _cuts(rng, width))
    shift = rng.uniform(0, length, strips.max() + 1)[strips]
    pieces = np.digitize(v + shift, _cuts(rng, length))
    areas: Areas = strips * (pieces.max() + 1) + pieces
    return areas


def borders(areas: Areas, width: int) -> Plane:
    """Return 1 within `width` px of where two areas meet, else 0."""
    edge = np.zeros(areas.shape, np.float32)
    edge[:, :-1] = areas[:, :-1] != areas[:, 1:]
    edge[:-1] = np.maximum(edge[:-1], areas[:-1] != areas[1:])
    band: Plane = cv2.dilate(edge, np.ones((width, width), np.uint8))
    return band


def course(rng: Rng, u: Plane, v: Plane, bend: float, waves: float) -> Plane:
    """Return the distance, px, from a line along u that swings `bend` px to each side.

    Over the square it swings `waves` times, or down to half as often.
    """
    phase, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-25, 25)
    rate = 2 * np.pi * waves / SIDE * rng.uniform(0.5, 1)
    swing = rate * u + phase
    slope = bend * rate * np.cos(swing)
    distance: Plane = np.abs(v - offset - bend * np.sin(swing)) / np.sqrt(1 + slope**2)
    return distance


@dataclass(frozen=True)
class TownPlan:
    """Where things stand in a town, masks (SIDE, SIDE), and the number of the lot of each px."""

    lots: Areas
    roofs: Mask
    shadows: Mask
    streets: Mask


def town_plan(rng: Rng, u: Plane, v: Plane, lot: float) -> TownPlan:
    """Return a town of lots about `lot` px wide, at most one building each, along streets."""
    aspect = rng.uniform(1, 1.8)
    across, along = u / lot + SIDE, v / (lot * aspect) + SIDE  # no lot has a negative number
    column, row = across.astype(np.int64), along.astype(np.int64)
    lots = (column * 401 + row) % _KINDS
    half = rng.uniform(0.1, 0.55, (_KINDS, 2)).astype(np.float32)  # of a building, in lots
    half[rng.random(_KINDS) < rng.uniform(0, 0.4)] = 0  # nothing is built
    deep, wide = np.abs(across - column - 0.5), np.abs(along - row - 0.5)
    lanes, rows = float(rng.integers(2, 5)), float(rng.integers(3, 8))  # lots between streets
    street = rng.uniform(1, 2) / lot
    streets = (across % lanes < street) | (along % rows < street / aspect)
    roofs = (deep < half[lots, 0]) & (wide < half[lots, 1]) & ~streets
    cast = np.roll(roofs, rng.integers(-2, 3, 2), (0, 1))
    return TownPlan(lots, roofs, cast & ~roofs, streets)


def _cuts(rng: Rng, gap: float) -> NDArray[np.float64]:
    count = int(4 * SIDE / gap) + 2
    return np.cumsum(rng.uniform(0.4, 1.6, count) * gap) - SIDE * rng.uniform(1.5, 1.7)


@cache
def _grid() -> tuple[Plane, Plane]:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) - SIDE / 2
    return y, x


@cache
def _frequency() -> Plane:
    rows, columns = np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)
    frequency: NDArray[np.float64] = np.hypot(rows, columns)
    frequency[0, 0] = np.inf  # no mean
    return frequency.astype(np.float32)
