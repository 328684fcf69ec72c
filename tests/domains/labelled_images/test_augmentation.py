import random
import warnings
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


def test_views_keep_shape_dtype_and_range_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = augment(64, Settings())
        views = [_draw(view, _picture(), seed) for seed in range(50)]
    assert {(view.shape, view.dtype) for view in views} == {((64, 64, 3), np.dtype(np.uint8))}
    assert len({view.tobytes() for view in views}) == 50


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


def test_two_flips_of_one_half_each_are_independent() -> None:
    import albumentations as A  # noqa: PLC0415  # imports torch

    corner = np.zeros((8, 8, 1), np.uint8)
    corner[0, 0] = 1
    nested = A.Sequential([A.VerticalFlip(p=0.5)], p=1.0)
    view = A.Compose([A.HorizontalFlip(p=0.5), nested])
    seen = Counter(tuple(np.argwhere(_draw(view, corner, seed))[0, :2]) for seed in range(2000))
    assert set(seen) == {(0, 0), (0, 7), (7, 0), (7, 7)}
    squares = sum((count - 500) ** 2 / 500 for count in seen.values())
    assert squares < 16.3  # chi squared, 3 degrees of freedom, 99.9 %


def test_the_row_reaches_the_pipeline_and_comes_back_unchanged() -> None:
    row = object()
    assert augment(64, Settings())(image=_picture(), row=row)["row"] is row


@pytest.mark.parametrize("wrong", [{"crop": 0.0}, {"crop": 1.1}, {"light": -0.1}, {"light": 0.6}])
def test_settings_out_of_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)
