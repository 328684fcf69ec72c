"""Write drawn shapes in class folders: pictures of several sizes, PNG and JPEG."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from transfer import new_folder

# Corners, and how far the middle of a side lies from the centre where a corner lies at 1. Each
# shape is its own mirror image.
SHAPES = {
    "cross": (4, 0.35),
    "disc": (32, 1.0),
    "square": (4, np.cos(np.pi / 4)),
    "star": (6, 0.55),
    "triangle": (3, np.cos(np.pi / 3)),
}


def write_samples(folder: Path, count: int, seed: int) -> None:
    """Write `count` pictures, of each shape about as many, as `folder/star/star_1.png` and on.

    The same seed gives the same bytes. All or nothing is written.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    with new_folder(folder) as unfinished:
        _write_all(unfinished, count, seed)


def draw_picture(shape: str, number: int, seed: int) -> NDArray[np.uint8]:
    """Return picture `number` of a shape on a smooth background: RGB (H, W, 3) uint8."""
    rng = np.random.default_rng((seed, sorted(SHAPES).index(shape), number))
    height, width = rng.integers(64, 97, 2).tolist()
    low, high = rng.uniform(20, 235, (2, 3))
    shade = cv2.resize(rng.random((5, 5, 1)), (width, height), interpolation=cv2.INTER_CUBIC)
    ground = low + shade[..., None] * 0.4 * (high - low)
    ground += rng.normal(0, 8, ground.shape)
    picture: NDArray[np.uint8] = np.clip(ground, 0, 255).astype(np.uint8)
    radius = min(height, width) * rng.uniform(0.22, 0.42)
    centre = np.array((width, height)) / 2 + rng.uniform(-6, 6, 2)
    corners = centre + radius * _outline(*SHAPES[shape], turn=rng.uniform(0, 2 * np.pi))
    colour = (low + rng.uniform(70, 186, 3)) % 256  # far from the ground it lies on
    sixteenths = np.rint(corners * 16).astype(np.int32)  # of a px: 4 bits, for smooth edges
    cv2.fillPoly(picture, [sixteenths], colour.tolist(), cv2.LINE_AA, 4)
    return picture


def _outline(corners: int, middle: float, *, turn: float) -> NDArray[np.float64]:
    angles = turn + np.arange(2 * corners) * np.pi / corners
    reach = np.tile((1.0, middle), corners)
    return np.column_stack((reach * np.cos(angles), reach * np.sin(angles)))


def _write_all(folder: Path, count: int, seed: int) -> None:
    for position in range(count):
        number, kind = divmod(position, len(SHAPES))
        shape = sorted(SHAPES)[kind]
        suffix = ".png" if position % 2 else ".jpg"
        pixels = cv2.cvtColor(draw_picture(shape, number + 1, seed), cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(suffix, pixels)
        path = folder / shape / f"{shape}_{number + 1}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded.tobytes())
