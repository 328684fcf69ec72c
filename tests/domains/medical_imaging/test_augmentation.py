import random
from pathlib import Path

import numpy as np
import pytest

from tasks.medical_imaging.augmentation import augment, label_holds
from tasks.medical_imaging.settings import Settings
from transfer import Row

STILL = {"rotation": 0, "scale": 0, "contrast": 0}


def views(picture, count=24, size=64, **settings):
    pipeline = augment(size, Settings(**settings))
    found = []
    for seed in range(count):
        draws = random.Random(seed)  # noqa: S311  # no secret
        pipeline.set_random_state(np.random.default_rng(seed), draws)
        found.append(pipeline(image=picture)["image"])
    return found


def marked(dtype=np.uint8, bands=3):
    """A grey chest with a bright heart right of the middle."""
    picture = np.full((64, 64, bands), 0.3)
    picture[28:40, 36:48] = 0.8
    return (picture * 255).astype(dtype) if dtype == np.uint8 else picture.astype(dtype)


def centre_of_heart(view):
    bright = view[..., 0] > (view.min() / 2 + view.max() / 2)
    return np.argwhere(bright).mean(axis=0)


def test_the_heart_stays_on_its_side():
    assert all(centre_of_heart(view)[1] > 34 for view in views(marked()))


def test_a_setting_mirrors_half_of_the_pictures():
    sides = [centre_of_heart(view)[1] > 32 for view in views(marked(), flip=True)]
    assert {True, False} == set(sides)


def test_without_any_change_a_view_is_the_picture():
    for view in views(marked(), count=4, **STILL):
        np.testing.assert_array_equal(view, marked())


def test_a_turn_is_as_small_as_is_set_and_shows_no_black_corner():
    bare = np.full((64, 64, 3), 200, np.uint8)
    assert all(view.min() == 200 for view in views(bare, rotation=30, scale=0.3, contrast=0))
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[30:34, 40:64] = 255  # a bar that points right from the middle
    for view in views(picture, rotation=7, scale=0, contrast=0):
        rows, columns = np.nonzero(view[..., 0] > 127)
        ends = rows[columns > 55].mean() - 31.5, columns[columns > 55].mean() - 31.5
        assert abs(np.degrees(np.arctan2(*ends))) < 8


def test_size_and_contrast_move_as_far_as_is_set():
    areas = [(view[..., 0] > 140).sum() for view in views(marked(), **{**STILL, "scale": 0.1})]
    assert 144 * 0.75 < min(areas) < 144 < max(areas) < 144 * 1.3
    steps = [np.ptp(view) for view in views(marked(), **{**STILL, "contrast": 0.2})]
    assert 100 < min(steps) < np.ptp(marked()) < max(steps) < 155


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("bands", [1, 3])
def test_views_keep_size_depth_and_bands(dtype, bands):
    for view in views(marked(dtype, bands), count=3):
        assert view.shape == (64, 64, bands)
        assert view.dtype == dtype
        assert dtype == np.uint8 or (view.min() >= 0 and view.max() <= 1)


def test_a_heart_on_the_other_side_is_no_view_of_the_patient():
    row, picture = Row(Path("film.png")), marked()
    assert all(label_holds(row, picture, view) for view in views(picture))
    held = [label_holds(row, picture, view) for view in views(picture, flip=True)]
    assert set(held) == {True, False}
