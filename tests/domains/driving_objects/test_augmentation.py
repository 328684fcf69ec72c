import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tasks.driving_objects.augmentation import augment, label_holds
from tasks.driving_objects.settings import Settings
from transfer import Augmentation, Row

STILL = {"zoom": 0.0, "shift": 0.0, "rotate": 0.0, "light": 0.0, "blur": 0.0}


def _picture(dtype: type = np.uint8) -> NDArray[np.generic]:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    return pixels.astype(np.uint8) if dtype is np.uint8 else (pixels / 255).astype(np.float32)


def _draw(view: Augmentation, pixels: NDArray, seed: int, label: str = "stop") -> NDArray:
    view.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311  # no secret
    drawn: NDArray = view(image=pixels, row=Row(Path("frame.png"), label))["image"]
    return drawn


@pytest.mark.parametrize(
    ("label", "mirrored"),
    [("Car", True), ("PEDESTRIAN", True), ("train", True), ("33_turn_right_ahead", False),
     ("stop", False), ("", False)],
)  # fmt: skip
def test_only_classes_that_are_the_same_are_mirrored(
    label: str,
    mirrored: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    picture, view = _picture(), augment(64, Settings(**STILL))
    seen = Counter(_draw(view, picture, seed, label).tobytes() for seed in range(200))
    both = {picture.tobytes(), picture[:, ::-1].tobytes()}
    assert set(seen) == (both if mirrored else {picture.tobytes()})
    if mirrored:
        assert 60 < seen[picture.tobytes()] < 140  # 100 expected, standard deviation 7


def test_which_classes_are_mirrored_is_a_setting() -> None:
    picture = _picture()
    for names in ((), ("Roundabout",)):
        view = augment(64, Settings(mirrored=names, **STILL))
        seen = {_draw(view, picture, seed, "roundabout").tobytes() for seed in range(20)}
        assert len(seen) == 1 + len(names)


def _corners(view: Augmentation, seed: int) -> NDArray:
    """Return where the pixels of a view come from: its corners, px of the picture."""
    ramp = np.stack([*np.meshgrid(np.arange(64), np.arange(64)), np.zeros((64, 64))], axis=2)
    drawn = _draw(view, (ramp / 64).astype(np.float32), seed)
    middle: NDArray = drawn[24:40:15, 24:40:15, :2] * 64  # far from the edges, which repeat
    return middle


def test_views_move_no_further_than_their_settings() -> None:
    shifts, zooms, angles = [], [], []
    for seed in range(200):
        grid = _corners(augment(64, Settings(**STILL | {"shift": 0.1})), seed)
        shifts.append(np.abs(grid[0, 0] - (24, 24)).max())
        grid = _corners(augment(64, Settings(**STILL | {"zoom": 0.2})), seed)
        zooms.append(15 / (grid[0, 1, 0] - grid[0, 0, 0]))
        grid = _corners(augment(64, Settings(**STILL | {"rotate": 10.0})), seed)
        along = grid[0, 1] - grid[0, 0]
        angles.append(np.degrees(np.arctan2(along[1], along[0])))
    assert 5 < max(shifts) < 6.4 + 0.1
    assert 1 / 1.2 - 0.01 < min(zooms) < 0.9
    assert 1.1 < max(zooms) < 1.2 + 0.01
    assert -10.2 < min(angles) < -8
    assert 8 < max(angles) < 10.2


def test_blur_comes_as_often_as_it_is_set() -> None:
    picture, view = _picture(), augment(64, Settings(**STILL | {"blur": 0.4}))
    blurred = sum(_draw(view, picture, seed).tobytes() != picture.tobytes() for seed in range(300))
    assert 85 < blurred < 155  # 120 expected, standard deviation 8.5


@pytest.mark.parametrize(
    "wrong",
    [{"zoom": 1.0}, {"rotate": 90}, {"blur": 2}, {"drive": "("}, {"costly": "red"},
     {"costly": "red:red"}, {"heights": "40,25"}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_lists_are_written_with_commas() -> None:
    settings = Settings.model_validate({"costly": "a:b, c:d", "heights": "10,20", "mirrored": ""})
    assert settings.mirrored == ()
    assert settings.costly == ("a:b", "c:d")
    assert settings.heights == (10, 20)


@pytest.mark.parametrize(("label", "holds"), [("Car", True), ("33_turn_right_ahead", False)])
def test_a_mirrored_sign_is_another_sign(label: str, holds: bool) -> None:  # noqa: FBT001  # as above
    row, picture = Row(Path("frame.png"), label), _picture().repeat(4, 0).repeat(4, 1)[:64, :64]
    assert label_holds(row, picture, picture[:, ::-1]) is holds
    view = augment(64, Settings())
    assert all(label_holds(row, picture, _draw(view, picture, seed, label)) for seed in range(20))
