import random
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tasks.satellite_vegetation.augmentation import augment
from tasks.satellite_vegetation.samples import draw_chip
from tasks.satellite_vegetation.settings import Settings
from transfer import Augmentation

STILL = {"crop": 1.0, "light": 0.0}


def _views(
    view: Augmentation, pixels: NDArray[np.generic], count: int
) -> list[NDArray[np.float64]]:
    drawn = []
    for seed in range(count):
        view.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311  # no secret
        drawn.append(view(image=pixels, row="row")["image"])  # type: ignore[arg-type]  # any row
    return drawn


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("bands", [1, 3])
def test_views_keep_shape_dtype_and_range_in_silence(dtype: type, bands: int) -> None:
    chip = draw_chip("Industrial", 1, seed=0)[..., :bands].astype(dtype)
    top = 255 if dtype is np.uint8 else 1
    chip = chip if dtype is np.uint8 else chip / np.float32(255)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        views = _views(augment(64, Settings()), chip, 50)
    assert {(view.shape, view.dtype) for view in views} == {((64, 64, bands), np.dtype(dtype))}
    assert all(view.min() >= 0 and view.max() <= top for view in views)


def test_all_eight_symmetries_of_a_chip_are_seen_equally_often() -> None:
    chip = draw_chip("River", 1, seed=0)
    turned = [np.rot90(flipped, turns) for flipped in (chip, chip[::-1]) for turns in range(4)]
    counts = dict.fromkeys((symmetry.tobytes() for symmetry in turned), 0)
    for view in _views(augment(64, Settings(**STILL)), chip, 800):
        counts[view.tobytes()] += 1
    assert len(counts) == 8
    assert min(counts.values()) > 60  # 100 expected, standard deviation 9.4


def test_north_stays_up_where_rotate_is_off() -> None:
    chip = draw_chip("River", 1, seed=0)
    for view in _views(augment(64, Settings(rotate=False, **STILL)), chip, 50):
        np.testing.assert_array_equal(view, chip)


def test_colour_moves_no_further_than_the_light_setting() -> None:
    chip = draw_chip("Forest", 1, seed=0)
    views = _views(augment(64, Settings(crop=1.0, light=0.1)), chip, 100)
    ratios = np.array([view.mean() / chip.mean() for view in views])
    assert np.all(np.abs(ratios - 1) < 0.2 + 0.02)  # brightness and contrast, and rounding
    assert ratios.std() > 0.02


@pytest.mark.parametrize("wrong", [{"crop": 0.0}, {"crop": 1.1}, {"light": -0.1}, {"light": 0.6}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
