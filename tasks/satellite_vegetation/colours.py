"""A colour for each class of a map."""

import colorsys
from collections.abc import Sequence

Colour = tuple[int, int, int]

_USUAL: dict[str, Colour] = {
    "AnnualCrop": (240, 215, 110),
    "Forest": (30, 105, 55),
    "HerbaceousVegetation": (160, 190, 90),
    "Highway": (90, 90, 95),
    "Industrial": (150, 90, 160),
    "Pasture": (115, 190, 110),
    "PermanentCrop": (205, 140, 50),
    "Residential": (205, 70, 65),
    "River": (75, 145, 215),
    "SeaLake": (25, 70, 150),
}
"""Of the classes of EuroSAT, close to what atlases use."""
_GOLDEN = 0.618034  # of the colour circle: any first few of such steps lie far apart


def colours_of(classes: Sequence[str]) -> list[Colour]:
    """Return RGB of each class: what land covers usually have, or all from the colour circle."""
    if all(name in _USUAL for name in classes):
        return [_USUAL[name] for name in classes]
    return [_from_circle(number) for number in range(len(classes))]


def _from_circle(number: int) -> Colour:
    light = (0.85, 0.6, 0.95)[number % 3]
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.65, light)
    return round(red * 255), round(green * 255), round(blue * 255)
