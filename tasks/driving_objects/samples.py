"""Write drawn drives in the layout of KITTI: frames, and what stands in each."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tasks.driving_objects.road import CAMERA_M, FOCAL_PX, WIDTH, Placed, photograph, start_drive
from tasks.driving_objects.shapes import DRAW, Figure, Rng
from transfer import new_folder

_OBJECTS = 4
"""Of a drive, all its frames together."""
_FRAMES = ((2, 2), (2, 2), (3, 1))
"""How many objects the frames of a drive may show; the second shows those of the first again."""
_MOST_MET = 3
_SMALLEST_PX, _LARGEST_PX = 14, 95
_NARROWEST_PX = 9
_MOST_BEYOND, _MOST_HIDDEN = 0.6, 0.6
_SEEN = (0.9, 0.5)
"""Of which an object shows less: KITTI's levels 1, partly occluded, and 2, largely."""
_TRIES = 200


def write_samples(folder: Path, count: int, seed: int) -> None:
    """Write `count` objects in frames: `folder/drive_0001/image_2/000000.png`, label_2 beside it.

    A drive has two frames, and the second shows again what the first did, a moment later. The same
    seed gives the same bytes. All or nothing is written.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    with new_folder(folder) as unfinished:
        for number, first in enumerate(range(0, count, _OBJECTS)):
            place = unfinished / f"drive_{number + 1:04}"
            for part in ("image_2", "label_2"):
                (place / part).mkdir(parents=True)
            _write_drive(place, number, min(_OBJECTS, count - first), seed)


def _write_drive(place: Path, number: int, objects: int, seed: int) -> None:
    rng = np.random.default_rng((seed, number))
    drive, frames = start_drive(rng), _FRAMES[rng.integers(len(_FRAMES))]
    first = min(frames[0], objects)
    again = min(frames[1], objects - first)
    labels = _labels(number, first, seed)
    things, moved = _placed(rng, [DRAW[label](rng) for label in labels])
    for moment in range(2 if again else 1):
        shown = [thing.after(moment * moved) for thing in (things[:again] if moment else things)]
        picture, seen = photograph(drive, shown, moment * moved, rng)
        encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]
        (place / f"image_2/{moment:06}.png").write_bytes(encoded.tobytes())
        lines = map(_line, labels, shown, seen)
        (place / f"label_2/{moment:06}.txt").write_bytes("".join(lines).encode())


def _labels(drive: int, count: int, seed: int) -> list[str]:
    """Return the classes that a drive meets; over many drives all come alike."""
    dealt: list[str] = []
    first = drive * _MOST_MET
    for number in range(first, first + count):
        order = np.random.default_rng((seed, number // len(DRAW), 1)).permutation(len(DRAW))
        dealt.append(list(DRAW)[order[number % len(DRAW)]])
    return dealt


def _placed(rng: Rng, figures: Sequence[Figure]) -> tuple[list[Placed], float]:
    """Return figures on the road, and how far the camera goes on until the second frame, metres."""
    for _ in range(_TRIES):
        things = [_anywhere(rng, figures[0])]
        things += [_anywhere(rng, figure, beside=things[0]) for figure in figures[1:]]
        moved = min(thing.ahead for thing in things) * rng.uniform(0.06, 0.22)
        if _can_be_told(things) and _can_be_told([thing.after(moved) for thing in things]):
            break
    return things, moved


def _anywhere(rng: Rng, figure: Figure, beside: Placed | None = None) -> Placed:
    """Return a figure at a distance that gives all heights in the frame alike, by their ratio.

    Every second one is put so near to what it is `beside` that one may hide a part of the other.
    """
    smallest = max(_SMALLEST_PX, _NARROWEST_PX * figure.height / figure.width)
    height = np.exp(rng.uniform(np.log(smallest), np.log(_LARGEST_PX)))
    ahead = FOCAL_PX * figure.height / height
    middle = rng.uniform(0.02, 0.98) * WIDTH
    if beside is not None and rng.integers(2) == 0:
        left, _, right, _ = beside.box()
        middle = rng.uniform(left, right)
    return Placed(figure, (middle - WIDTH / 2) * ahead / FOCAL_PX, ahead)


def _can_be_told(things: Sequence[Placed]) -> bool:
    """Say whether enough of each thing lies in the frame, and not behind another."""
    for thing in things:
        left, top, right, bottom = thing.in_frame()
        if thing.beyond() > _MOST_BEYOND or min(right - left, bottom - top) < _NARROWEST_PX:
            return False
        for other in things:
            nearer = other.in_frame()
            across = min(right, nearer[2]) - max(left, nearer[0])
            down = min(bottom, nearer[3]) - max(top, nearer[1])
            hidden = max(0.0, across) * max(0.0, down)
            behind = other.ahead < thing.ahead
            if behind and hidden > _MOST_HIDDEN * (right - left) * (bottom - top):
                return False
    return True


def _line(label: str, thing: Placed, seen: float) -> str:
    """Return an object as KITTI writes it; angles and the third dimension are not known."""
    occluded = sum(seen < share for share in _SEEN)
    box = " ".join(f"{edge:.2f}" for edge in thing.in_frame())
    size = f"{thing.figure.height:.2f} {thing.figure.width:.2f} {thing.figure.width:.2f}"
    place = f"{thing.right:.2f} {CAMERA_M:.2f} {thing.ahead:.2f}"
    return f"{label} {thing.beyond():.2f} {occluded} -10 {box} {size} {place} -10\n"
