"""Road users as coloured areas, in metres: what the drawn samples are made of."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator
Colour = NDArray[np.float64]
Points = NDArray[np.float64]

_GLASS = np.array((60.0, 75.0, 85.0))
_RUBBER = np.array((28.0, 28.0, 30.0))
_LIGHT = np.array((190.0, 40.0, 35.0))
_SKIN = np.array(((225.0, 180.0, 150.0), (150.0, 105.0, 80.0), (95.0, 65.0, 50.0)))


class Area(NamedTuple):
    """One colour within an outline.

    Attributes:
        points: (P, 2), metres to the right of the middle of the object, and up from the road.
        colour: RGB, 0 to 255.
    """

    points: Points
    colour: Colour


class Figure(NamedTuple):
    """A road user as it is seen.

    Attributes:
        width: metres.
        height: metres.
        areas: the first lies behind the others.
    """

    width: float
    height: float
    areas: list[Area]


def draw_car(rng: Rng) -> Figure:
    """Return a car, from behind or from its side."""
    paint, height = _paint(rng), rng.uniform(1.35, 1.75)
    if _one_in(rng, 2):
        return _from_behind(rng, paint, rng.uniform(1.65, 1.9), height, glass=(0.55, 0.9))
    length, waist = rng.uniform(3.6, 4.7), height * rng.uniform(0.56, 0.66)
    left, right = rng.uniform(0.12, 0.3), rng.uniform(0.05, 0.3)
    roof = [(-0.5, waist), (-0.5 + left, height), (0.5 - right, height), (0.48, waist)]
    return _from_side(rng, paint, (length, height), waist, roof, windows=2)


def draw_van(rng: Rng) -> Figure:
    """Return a van; a low one is no higher than a high car."""
    paint, height = _paint(rng), rng.uniform(1.6, 2.2)
    if _one_in(rng, 2):
        return _from_behind(rng, paint, rng.uniform(1.65, 2.0), height, glass=(0.5, 0.85))
    length, waist = rng.uniform(3.9, 5.0), height * rng.uniform(0.5, 0.62)
    left = rng.uniform(0.08, 0.22)
    roof = [(-0.5, waist), (-0.5 + left, height), (0.49, height), (0.5, waist)]
    return _from_side(rng, paint, (length, height), waist, roof, windows=1 + _one_in(rng, 2))


def draw_truck(rng: Rng) -> Figure:
    """Return a truck; a small one is built like a van without glass behind."""
    paint, height = _paint(rng), rng.uniform(2.1, 3.3)
    if _one_in(rng, 2):
        glass = (0.6, 0.8) if _one_in(rng, 4) else None
        return _from_behind(rng, paint, rng.uniform(1.9, 2.5), height, glass=glass)
    length, cab = rng.uniform(4.6, 7.5), rng.uniform(0.2, 0.3)
    top = height * rng.uniform(0.7, 0.95)
    load = [Area(_box(-0.5 + cab + 0.02, 0.5, 0.55, height, length), _paint(rng))]
    front = [Area(_box(-0.5, -0.5 + cab, 0.4, top, length), paint)]
    pane = [Area(_box(-0.49, -0.5 + cab * 0.6, top * 0.62, top * 0.92, length), _GLASS)]
    return Figure(length, height, [*load, *front, *pane, *_wheels(rng, length, (-0.38, 0.2, 0.4))])


def draw_pedestrian(rng: Rng) -> Figure:
    """Return somebody on foot."""
    height, stride = rng.uniform(1.5, 1.95), rng.uniform(0.05, 0.35)
    return Figure(max(0.5, 2 * stride), height, _person(rng, height, foot=0.0, stride=stride))


def draw_cyclist(rng: Rng) -> Figure:
    """Return somebody on a bicycle; from the front hardly more than somebody on foot."""
    height, wheel = rng.uniform(1.6, 1.95), rng.uniform(0.3, 0.36)
    if _one_in(rng, 2):
        tyre = Area(_box(-0.5, 0.5, 0.0, 2 * wheel, 0.09), _RUBBER)
        bar = Area(_box(-0.5, 0.5, 0.95, 1.02, rng.uniform(0.45, 0.65)), _RUBBER)
        person = _person(rng, height, foot=0.22, stride=0.12)
        return Figure(0.65, height, [tyre, *person, bar])
    frame = _paint(rng)
    wheels = [Area(ring, _RUBBER) for x in (-0.52, 0.52) for ring in (_disc(x, wheel, wheel),)]
    inside = [Area(_disc(x, wheel, wheel * 0.78), np.full(3, 130.0)) for x in (-0.52, 0.52)]
    bars = [
        Area(np.array([(-0.52, wheel), (0.42, 0.85), (0.42, 0.78), (-0.5, wheel - 0.06)]), frame),
        Area(np.array([(0.36, 0.95), (0.44, 0.95), (0.56, wheel), (0.48, wheel)]), frame),
    ]
    person = _person(rng, height, foot=0.25, stride=0.22)
    return Figure(1.75, height, [*wheels, *inside, *bars, *person])


DRAW: dict[str, Callable[[Rng], Figure]] = {
    "Car": draw_car,
    "Cyclist": draw_cyclist,
    "Pedestrian": draw_pedestrian,
    "Truck": draw_truck,
    "Van": draw_van,
}
"""By KITTI's names of their classes."""


def _one_in(rng: Rng, count: int) -> bool:
    return bool(rng.integers(count) == 0)


def _paint(rng: Rng) -> Colour:
    """Return the colour of something that is bought: grey as often as not."""
    grey: Colour = np.full(3, rng.uniform(30, 225))
    return grey if _one_in(rng, 2) else np.clip(grey + rng.uniform(-110, 110, 3), 15, 240)


def _from_behind(
    rng: Rng, paint: Colour, width: float, height: float, *, glass: tuple[float, float] | None
) -> Figure:
    """Return a vehicle from behind; `glass` is from where to where of its height."""
    narrow = rng.uniform(0.36, 0.5)
    shape = np.array([(-0.5, 0.25), (-0.5, 0.6 * height), (-narrow, height), (narrow, height)])
    body = np.vstack([shape, [(0.5, 0.6 * height), (0.5, 0.25)]]) * (width, 1)
    areas = [Area(_box(x, x + 0.15, 0.0, 0.4, width), _RUBBER) for x in (-0.48, 0.33)]
    areas.append(Area(body, paint))
    if glass is not None:
        low, high = (share * height for share in glass)
        areas.append(Area(_box(-narrow * 0.85, narrow * 0.85, low, high, width), _GLASS))
    lamps = height * rng.uniform(0.35, 0.5)
    areas += [Area(_box(x, x + 0.1, lamps, lamps + 0.16, width), _LIGHT) for x in (-0.48, 0.38)]
    return Figure(width, height, areas)


def _from_side(
    rng: Rng,
    paint: Colour,
    size: tuple[float, float],
    waist: float,
    roof: list[tuple[float, float]],
    *,
    windows: int,
) -> Figure:
    """Return a vehicle of `size` (length, height) from its side, half of them facing right."""
    length, height = size
    outline = np.array(roof)
    glass = (outline - outline.mean(axis=0)) * (0.84, 0.72) + outline.mean(axis=0)
    if windows == 1:  # only in front
        glass[2:, 0] = glass[1, 0] + 0.12
    turn = rng.choice((-1.0, 1.0))
    areas = [
        Area(_box(-0.5, 0.5, 0.28, waist, length), paint),
        Area(outline * (length * turn, 1), paint),
        Area(glass * (length * turn, 1), _GLASS),
    ]
    return Figure(length, height, [*areas, *_wheels(rng, length, (-0.32, 0.32))])


def _wheels(rng: Rng, length: float, places: tuple[float, ...]) -> list[Area]:
    radius = rng.uniform(0.28, 0.36)
    return [Area(_disc(place * length, radius, radius), _RUBBER) for place in places]


def _person(rng: Rng, height: float, *, foot: float, stride: float) -> list[Area]:
    hip, neck = foot + (height - foot) * 0.48, height - 0.26
    coat, trousers = _paint(rng), _paint(rng) * 0.7
    width = rng.uniform(0.2, 0.27)
    legs = [
        Area(np.array([(0, hip), (0.12, hip), (end + 0.1, foot), (end - 0.04, foot)]), trousers)
        for end in (-stride, stride * 0.8)
    ]
    sides = [(-width * 0.8, hip - 0.05), (-width, neck), (width, neck), (width * 0.8, hip - 0.05)]
    head = Area(_disc(0.0, height - 0.13, 0.13), _SKIN[rng.integers(len(_SKIN))])
    return [*legs, Area(np.array(sides), coat), head]


def _box(left: float, right: float, low: float, high: float, width: float) -> Points:
    """Return a rectangle whose left and right are shares of `width`."""
    corners = [(left, low), (left, high), (right, high), (right, low)]
    return np.array(corners) * (width, 1)


def _disc(x: float, y: float, radius: float) -> Points:
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.column_stack((x + radius * np.cos(angles), y + radius * np.sin(angles)))
