"""Write drawn Sentinel-2 chips in the layout of EuroSAT."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.satellite_vegetation.geometry import Plane, Rng
from tasks.satellite_vegetation.landcover import DRAW
from transfer import new_folder

SIZE = 64
"""Side of a chip, px of 10 m."""

CLEAR_AIR = (0.021, 0.033, 0.062)
"""What clear air adds to the reflectance seen from orbit, in red, green, blue: most in blue."""
HAZE = (0.008, 0.013, 0.022)
"""What haze adds to that, times its density."""
WHITE = 0.275
"""Reflectance that is 255 in a chip."""


def write_samples(folder: Path, count: int, seed: int) -> None:
    """Write `count` chips, spread evenly over the classes: `folder/AnnualCrop/AnnualCrop_1.jpg`.

    The same seed gives the same bytes, and a smaller count the first of them. All or nothing is
    written.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    with new_folder(folder) as unfinished:
        _write_all(unfinished, count, seed)


def draw_chip(name: str, number: int, seed: int) -> NDArray[np.uint8]:
    """Return chip `number` of class `name`: RGB (64, 64, 3) uint8."""
    classes = list(DRAW)
    rng = np.random.default_rng((seed, classes.index(name), number))
    return photograph(rng, DRAW[name](rng))


def photograph(rng: Rng, surface: Plane) -> NDArray[np.uint8]:
    """Return what the sensor sees of a reflectance (3, S, S) through air, RGB (64, 64, 3) uint8."""
    blurred = cv2.GaussianBlur(surface.transpose(1, 2, 0), (0, 0), rng.uniform(0.6, 1.1))
    seen = cv2.resize(blurred, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    density = rng.exponential(0.4)
    light = rng.lognormal(0, 0.2) * np.exp(-0.2 * density) * rng.lognormal(0, 0.04, 3)
    seen = seen * light + np.array(CLEAR_AIR) + density * np.array(HAZE)
    seen += rng.normal(0, 0.0012, seen.shape)  # of the detector
    chip: NDArray[np.uint8] = np.clip(np.rint(seen * (255 / WHITE)), 0, 255).astype(np.uint8)
    return chip


def _write_all(folder: Path, count: int, seed: int) -> None:
    classes = list(DRAW)
    for name in classes[:count]:
        (folder / name).mkdir(parents=True)
    for position in range(count):
        number, kind = divmod(position, len(classes))
        name = classes[kind]
        pixels = cv2.cvtColor(draw_chip(name, number + 1, seed), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 98))
        (folder / name / f"{name}_{number + 1}.jpg").write_bytes(encoded.tobytes())
