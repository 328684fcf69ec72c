import random
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tasks.labelled_images.augmentation import augment
from tasks.labelled_images.samples import draw_picture
from tasks.labelled_images.settings import Settings
from transfer import Augmentation

STILL = {"crop": 1.0, "light": 0.0}


def _picture() -> NDArray[np.uint8]:
    return draw_picture("star", 1, seed=0)[:64, :64]


def _draw(view: Augmentation, pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    view.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311  # no secret
    drawn: NDArray[np.uint8] = view(image=pixels, row="row")["image"]  # type: ignore[arg-type]
    return drawn


def test_half_of_the_views_are_mirrored_left_to_right() -> None:
    picture, view = _picture(), augment(64, Settings(**STILL))
    seen = Counter(_draw(view, picture, seed).tobytes() for seed in range(400))
    assert set(seen) == {picture.tobytes(), picture[:, ::-1].tobytes()}
    assert 150 < seen[picture.tobytes()] < 250  # 200 expected, standard deviation 10


def test_nothing_is_mirrored_where_flip_is_off() -> None:
    picture, view = _picture(), augment(64, Settings(flip=False, **STILL))
    for seed in range(100):
        np.testing.assert_array_equal(_draw(view, picture, seed), picture)


def test_a_view_shows_no_less_than_the_crop_setting() -> None:
    # Each px knows where it lies: what a view covers is told by its own extremes.
    ramp = np.stack(np.meshgrid(np.arange(64), np.arange(64)), 2).astype(np.float32) / 64
    view = augment(64, Settings(flip=False, crop=0.5, light=0.0))
    shares = []
    for seed in range(200):
        drawn = _draw(view, ramp, seed)  # type: ignore[arg-type]  # float32 here
        width, height = np.ptp(drawn[..., 0]) + 1 / 64, np.ptp(drawn[..., 1]) + 1 / 64
        shares.append(width * height)
    assert min(shares) > 0.5 - 0.04  # a px of rounding on each side
    assert max(shares) > 0.9


def test_light_moves_no_further_than_its_setting() -> None:
    picture, view = _picture(), augment(64, Settings(flip=False, crop=1.0, light=0.1))
    ratios = np.array([_draw(view, picture, seed).mean() / picture.mean() for seed in range(100)])
    assert np.all(np.abs(ratios - 1) < 0.2 + 0.02)  # brightness and contrast, and rounding
    assert ratios.std() > 0.02


def test_the_row_reaches_the_pipeline_and_comes_back_unchanged() -> None:
    row = object()
    assert augment(64, Settings())(image=_picture(), row=row)["row"] is row


@pytest.mark.parametrize("wrong", [{"crop": 0.0}, {"crop": 1.1}, {"light": -0.1}, {"light": 0.6}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
