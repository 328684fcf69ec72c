"""Land cover drawn from reflectance, texture and geometry, one function for each class."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.satellite_vegetation.geometry import (
    Areas,
    Mask,
    Plane,
    Rng,
    axes,
    borders,
    course,
    parcels,
    relief,
    rough,
    smooth,
    town_plan,
    uneven,
)

# Surface reflectance in red, green and blue (Sentinel-2 bands 4, 3, 2): round figures, such that
# chips come out in the mean colours of EuroSAT.
REFLECTANCE = {
    "asphalt": (0.12, 0.115, 0.108),
    "broadleaf": (0.026, 0.045, 0.02),
    "concrete": (0.20, 0.185, 0.17),
    "conifer": (0.018, 0.029, 0.016),
    "crop": (0.033, 0.072, 0.028),
    "dry grass": (0.13, 0.105, 0.068),
    "grass": (0.047, 0.068, 0.032),
    "metal": (0.38, 0.37, 0.36),
    "ripe crop": (0.235, 0.175, 0.105),
    "rock": (0.18, 0.155, 0.13),
    "shrub": (0.062, 0.06, 0.037),
    "silty water": (0.058, 0.078, 0.05),
    "slate": (0.085, 0.08, 0.078),
    "soil": (0.22, 0.14, 0.09),
    "tile": (0.20, 0.12, 0.085),
    "water": (0.01, 0.02, 0.018),
    "wet soil": (0.095, 0.075, 0.055),
}


def annual_crop(rng: Rng) -> Plane:
    """Draw long straight fields, each at one stage between bare soil and harvest."""
    u, v = axes(rng)
    width = between(rng, 16, 100)
    fields = parcels(rng, u, v, width, width * rng.uniform(1.2, 5))
    land = covers(rng, fields, "soil", "wet soil", "ripe crop", "crop")
    tillage = rng.uniform(0, 0.06) * np.sin(2 * np.pi * u / rng.uniform(3, 7))
    land = land * (1 + tillage + rng.uniform(0.02, 0.1) * rough(rng, 1.2))
    return _with_margins(rng, land, fields)


def permanent_crop(rng: Rng) -> Plane:
    """Draw small uneven plots with the rows of orchards, olives and vines."""
    u, v = axes(rng)
    u, v = uneven(rng, u, rng.uniform(0, 4)), uneven(rng, v, rng.uniform(0, 4))
    width = between(rng, 8, 30)
    plots = parcels(rng, u, v, width, width * rng.uniform(1, 2.5))
    land = covers(rng, plots, "soil", "wet soil", "dry grass", "shrub", "grass", "ripe crop")
    spacing = rng.uniform(2.6, 5)
    across, along = np.sin(2 * np.pi * u / spacing), np.sin(2 * np.pi * v / spacing)
    vines = per_area(rng, plots) < rng.random()
    pattern = np.maximum(np.where(vines, across, (across + along) / 2), 0)
    plants: Plane = pattern * rng.uniform(0.2, 0.6) * per_area(rng, plots)
    land = over(land, cover(rng, "shrub", "broadleaf", "wet soil"), plants)
    land = land * (1 + rng.uniform(0.05, 0.14) * rough(rng, 0.7))
    return _with_margins(rng, land, plots)


def pasture(rng: Rng) -> Plane:
    """Draw grassland in irregular enclosures, with hedges and single trees."""
    u, v = axes(rng)
    u, v = uneven(rng, u, rng.uniform(0, 4)), uneven(rng, v, rng.uniform(0, 4))
    width = between(rng, 20, 90)
    meadows = parcels(rng, u, v, width, width * rng.uniform(1, 2))
    sward = cover(rng, "grass", "crop", "dry grass")
    land = over(covers(rng, meadows, "grass", "crop", "dry grass", "shrub"), sward, 0.4)
    land = land * (1 + rng.uniform(0.03, 0.12) * rough(rng, 1.2))
    hedges = borders(meadows, 2) * (smooth(rng, 4) > rng.uniform(-2, 0.5))
    trees: Plane = np.maximum(hedges, rough(rng, 0.5) > rng.uniform(2.2, 3.5))
    return over(land, cover(rng, "broadleaf", "shrub"), rng.uniform(0.4, 0.9) * trees)


def herbaceous(rng: Rng) -> Plane:
    """Draw heath, steppe and scrub on open, uneven ground."""
    low = cover(rng, "dry grass", "rock", "grass", "wet soil", "soil")
    high = cover(rng, "shrub", "broadleaf", "dry grass", "grass")
    growth = np.clip(0.5 + rng.uniform(0.2, 0.7) * rough(rng, rng.uniform(0.7, 1.5)), 0, 1)
    land = over(low, high, growth)
    land = land * (relief(rng, rng.uniform(0, 0.25)) + 0.06 * rough(rng, 0.5))
    return _with_track(rng, land) if chance(rng, 0.25) else land


def forest(rng: Rng) -> Plane:
    """Draw closed canopy over terrain, now and then with a clearing."""
    stands = np.clip(0.5 + rough(rng, 1.5), 0, 1)
    wood = over(cover(rng, "conifer", "broadleaf"), cover(rng, "conifer", "broadleaf"), stands)
    grain = rng.uniform(0.05, 0.25) * rough(rng, 0.4)
    wood = wood * (relief(rng, rng.uniform(0, 0.3)) + grain)
    clearing = rough(rng, 1.5) > rng.uniform(1.2, 4)
    wood = over(wood, cover(rng, "grass", "dry grass", "shrub"), 0.7 * clearing)
    return _with_track(rng, wood) if chance(rng, 0.1) else wood


def residential(rng: Rng) -> Plane:
    """Draw small houses in gardens along streets."""
    lot = between(rng, 4, 10)
    garden = cover(rng, "grass", "broadleaf", "shrub", "wet soil", "concrete")
    return _town(rng, lot, rng.uniform(0, 3), garden, ("tile", "slate", "concrete"))


def industrial(rng: Rng) -> Plane:
    """Draw large flat roofs on paved ground, often beside smaller buildings."""
    yard = cover(rng, "asphalt", "concrete", "grass")
    lot, bend = between(rng, 11, 44), rng.uniform(0, 1)
    halls = _town(rng, lot, bend, yard, ("metal", "concrete", "slate"))
    beside = rough(rng, 1.8) > rng.uniform(0, 2.5)
    return np.where(beside, residential(rng), halls)


def highway(rng: Rng) -> Plane:
    """Draw a wide road with two carriageways, straight or in one wide curve."""
    land = countryside(rng)
    u, v = axes(rng)
    distance = course(rng, u, v, rng.uniform(0, 1) ** 2 * 30, 0.7)
    width = rng.uniform(2.8, 5)
    land = over(land, cover(rng, "grass", "dry grass", "shrub"), distance < width * 1.6)
    lanes = (distance < width) & (distance > rng.uniform(0, 1.2))
    land = over(land, cover(rng, "asphalt", "concrete"), lanes)
    return _with_track(rng, land) if chance(rng, 0.4) else land


def river(rng: Rng) -> Plane:
    """Draw a bending water course between wooded banks."""
    land = countryside(rng)
    u, v = axes(rng)
    distance = course(rng, u, v, rng.uniform(5, 26), 1.0) + rng.uniform(0.3, 2) * smooth(rng, 10)
    width = between(rng, 5.5, 26)
    banks = (distance < width + rng.uniform(1, 9)) & (smooth(rng, 8) > rng.uniform(-2, 1))
    land = over(land, cover(rng, "broadleaf", "shrub", "wet soil"), 0.8 * banks)
    land = over(land, cover(rng, "water", "silty water"), distance < width)
    return _with_track(rng, land) if chance(rng, 0.3) else land


def sea_lake(rng: Rng) -> Plane:
    """Draw open water, often with a stretch of coast."""
    waves = 1 + rng.uniform(0, 0.06) * rough(rng, rng.uniform(0.3, 1.5))
    sea = cover(rng, "water", "water", "silty water") * waves
    if chance(rng, 0.6):
        return sea
    coast = uneven(rng, axes(rng)[0], rng.uniform(2, 14)) > rng.uniform(0, 60)
    return np.where(coast, countryside(rng), sea)


def countryside(rng: Rng) -> Plane:
    """Draw what may lie around a road or a river: two kinds of land, side by side."""
    kinds = (annual_crop, permanent_crop, pasture, herbaceous, forest, residential, industrial)
    first, second = rng.choice(len(kinds), 2, p=(0.25, 0.1, 0.22, 0.13, 0.2, 0.05, 0.05))
    beside = rough(rng, 1.8) > rng.uniform(-1.5, 1.5)
    return np.where(beside, kinds[first](rng), kinds[second](rng))


def cover(rng: Rng, *names: str) -> Plane:
    """Return one reflectance (3, 1, 1) somewhere between the named covers."""
    shares = rng.dirichlet(np.full(len(names), 0.6))
    mixed: NDArray[np.float64] = shares @ np.array([REFLECTANCE[name] for name in names])
    mixed *= rng.lognormal(0, 0.15)
    return mixed.astype(np.float32)[:, None, None]


def covers(rng: Rng, areas: Areas, *names: str) -> Plane:
    """Return reflectance (3, SIDE, SIDE): each area between the named covers, a few prevailing."""
    likely = 0.15 + 1.5 * rng.dirichlet(np.full(len(names), 0.6))
    shares = rng.dirichlet(likely, areas.max() + 1)
    mixed: NDArray[np.float64] = shares @ np.array([REFLECTANCE[name] for name in names])
    mixed *= rng.lognormal(0, 0.15, (len(mixed), 1))
    return mixed.T.astype(np.float32)[:, areas]


def over(land: Plane, colour: Plane, amount: Plane | Mask | float) -> Plane:
    """Return the land with `colour` laid over it where `amount` (in [0, 1]) says."""
    mixed: Plane = land + amount * (colour - land)
    return mixed


def per_area(rng: Rng, areas: Areas) -> Plane:
    """Return one number in [0, 1) for each area (SIDE, SIDE)."""
    values: Plane = rng.random(areas.max() + 1, np.float32)
    return values[areas]


def chance(rng: Rng, probability: float) -> bool:
    """Return true with this probability."""
    return rng.random() < probability


def between(rng: Rng, low: float, high: float) -> float:
    """Return a size, every doubling between `low` and `high` as likely as the next."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _town(rng: Rng, lot: float, bend: float, ground: Plane, roofs: tuple[str, ...]) -> Plane:
    u, v = axes(rng)
    plan = town_plan(rng, uneven(rng, u, bend), uneven(rng, v, bend), lot)
    green = cover(rng, "broadleaf", "shrub", "grass")
    land = over(ground, green, rng.uniform(0.5, 1) * (smooth(rng, 3) > rng.uniform(-0.5, 1.5)))
    land = over(land, cover(rng, "asphalt", "concrete"), plan.streets)
    land = land * (1 - rng.uniform(0.2, 0.6) * plan.shadows)
    built = np.where(plan.roofs, covers(rng, plan.lots, *roofs), land)
    town: Plane = built * (1 + 0.1 * rough(rng, 0.5))
    return town


def _with_margins(rng: Rng, land: Plane, fields: Areas) -> Plane:
    colour = cover(rng, "grass", "soil", "shrub", "broadleaf")
    amount = max(rng.uniform(-0.6, 0.8), 0) * borders(fields, int(rng.integers(1, 3)))
    return over(land, colour, amount)


def _with_track(rng: Rng, land: Plane) -> Plane:
    u, v = axes(rng)
    track = course(rng, u, v, rng.uniform(0, 12), 1.0) < rng.uniform(0.6, 1.5)
    return over(land, cover(rng, "soil", "concrete", "asphalt"), track)


DRAW: dict[str, Callable[[Rng], Plane]] = {
    "AnnualCrop": annual_crop,
    "Forest": forest,
    "HerbaceousVegetation": herbaceous,
    "Highway": highway,
    "Industrial": industrial,
    "Pasture": pasture,
    "PermanentCrop": permanent_crop,
    "Residential": residential,
    "River": river,
    "SeaLake": sea_lake,
}
"""How each class is drawn, by the name of its folder."""
