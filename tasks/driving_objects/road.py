"""A drawn road as a camera on a car sees it, KITTI's at a third of its size."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from tasks.driving_objects.shapes import Figure, Rng

WIDTH, HEIGHT = 414, 125
"""Of a frame, px."""

FOCAL_PX, CAMERA_M = 240.0, 1.65
"""Of the camera: focal length, and height above the road, metres."""

_HORIZON_PX = 57.0
_FINER = 2
"""Frames are drawn so many times as large, and averaged: edges between pixels mix."""
_SIXTEENTHS = 4  # bits behind the point, as OpenCV takes corners

Canvas = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class Drive(NamedTuple):
    """What all frames of one drive share.

    Attributes:
        ground, far: RGB of the road and of what lies beside it.
        light: of the scene, 1 in the sun.
        cast: RGB factors of the light.
        haze: share of the light that the air adds for each metre.
        blur_px: standard deviation of the lens.
        noise: standard deviation of the sensor, of 255.
        seed: of the houses and trees.
    """

    ground: NDArray[np.float64]
    far: NDArray[np.float64]
    light: float
    cast: NDArray[np.float64]
    haze: float
    blur_px: float
    noise: float
    seed: int


class Placed(NamedTuple):
    """A road user and where it is: metres to the right of the camera, and in front of it."""

    figure: Figure
    right: float
    ahead: float

    def after(self, metres: float) -> "Placed":
        """Return the same, once the camera has moved on."""
        return self._replace(ahead=self.ahead - metres)

    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right and bottom, px; parts may lie beyond the frame."""
        scale = FOCAL_PX / self.ahead
        middle, half = WIDTH / 2 + self.right * scale, self.figure.width / 2 * scale
        bottom = _HORIZON_PX + CAMERA_M * scale
        return middle - half, bottom - self.figure.height * scale, middle + half, bottom

    def in_frame(self) -> tuple[float, float, float, float]:
        """Return the edges of the box within the frame, px."""
        left, top, right, bottom = self.box()
        across, down = np.clip((left, right), 0, WIDTH), np.clip((top, bottom), 0, HEIGHT)
        return float(across[0]), float(down[0]), float(across[1]), float(down[1])

    def beyond(self) -> float:
        """Return which share of the box lies beyond the frame."""
        left, top, right, bottom = self.box()
        inner = self.in_frame()
        inside = (inner[2] - inner[0]) * (inner[3] - inner[1])
        return 1 - inside / ((right - left) * (bottom - top))


def start_drive(rng: Rng) -> Drive:
    """Return weather, light and lens of a drive: every fourth is at night."""
    night = rng.integers(4) == 0
    return Drive(
        ground=np.full(3, rng.uniform(70, 130)) + rng.normal(0, 5, 3),
        far=rng.uniform(60, 180, 3),
        light=rng.uniform(0.16, 0.4) if night else rng.uniform(0.55, 1.15),
        cast=rng.lognormal(0, 0.07, 3),
        haze=rng.exponential(0.008),
        blur_px=rng.uniform(0.4, 1.1),
        noise=rng.uniform(2, 7),
        seed=int(rng.integers(2**32)),
    )


def photograph(
    drive: Drive, things: list[Placed], moved: float, rng: Rng
) -> tuple[NDArray[np.uint8], list[float]]:
    """Return a frame, RGB (HEIGHT, WIDTH, 3), and which share of each thing in it can be seen.

    Args:
        drive: light, lens and surroundings.
        things: in any order; what is nearer hides what is farther.
        moved: metres since the first frame.
        rng: of the noise.
    """
    canvas = _surroundings(drive, moved)
    owner = np.full(canvas.shape[:2], -1, np.int8)
    areas = []
    for number in sorted(range(len(things)), key=lambda number: -things[number].ahead):
        mask = _paint(canvas, things[number], drive)
        owner[mask] = number
        areas.append((number, int(mask.sum())))
    shares = {number: float((owner == number).sum()) / max(1, area) for number, area in areas}
    small = cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    light = (drive.light * drive.cast).astype(np.float32)
    seen = cv2.GaussianBlur(small, (0, 0), drive.blur_px) * light
    seen += np.float32(drive.noise) * rng.standard_normal(seen.shape, np.float32)
    frame: NDArray[np.uint8] = np.clip(np.rint(seen), 0, 255).astype(np.uint8)
    return frame, [shares[number] for number in range(len(things))]


def _surroundings(drive: Drive, moved: float) -> Canvas:
    """Return sky, houses and trees, and the road, (H, W, 3) before light and lens."""
    rng = np.random.default_rng(drive.seed)
    height, width = HEIGHT * _FINER, WIDTH * _FINER
    horizon = round(_HORIZON_PX * _FINER)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:horizon] = np.clip(np.array((175, 195, 215)) + rng.normal(0, 12, 3), 0, 255)
    canvas[horizon:] = drive.ground
    nearer = 1 + moved / 40
    for _ in range(14):
        middle = width / 2 + (rng.uniform(-0.7, 0.7) * width) * nearer
        half, top = rng.uniform(12, 60) * nearer, horizon - rng.uniform(10, 90) * nearer
        colour = np.clip(drive.far + rng.normal(0, 35, 3), 10, 230)
        box = [(middle - half, horizon + 4), (middle - half, top)]
        _fill(canvas, np.array([*box, (middle + half, top), (middle + half, horizon + 4)]), colour)
    vanishing, bottom = (width / 2, horizon), height
    for edge in (-0.9, -0.12, 0.12, 0.9):
        ends = [(width / 2 + edge * width, bottom), (width / 2 + (edge + 0.025) * width, bottom)]
        _fill(canvas, np.array([vanishing, *ends]), drive.ground + 70)
    return canvas


def _paint(canvas: Canvas, thing: Placed, drive: Drive) -> Mask:
    """Draw a thing, and return which pixels (H, W) are its own."""
    scale = FOCAL_PX / thing.ahead * _FINER
    origin = (WIDTH / 2 * _FINER + thing.right * scale, _HORIZON_PX * _FINER + CAMERA_M * scale)
    air = min(0.75, thing.ahead * drive.haze)
    own = np.zeros(canvas.shape[:2], np.uint8)
    for points, colour in thing.figure.areas:
        corners = points * (scale, -scale) + origin
        _fill(canvas, corners, colour * (1 - air) + 190 * air)
        cv2.fillPoly(own, [_fixed(corners)], 1, cv2.LINE_8, _SIXTEENTHS)
    return own > 0


def _fill(canvas: Canvas, corners: NDArray[np.float64], colour: NDArray[np.float64]) -> None:
    cv2.fillPoly(canvas, [_fixed(corners)], colour.tolist(), cv2.LINE_8, _SIXTEENTHS)


def _fixed(corners: NDArray[np.float64]) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.rint(corners * 2**_SIXTEENTHS).astype(np.int32)
    return fixed
