import random

import albumentations as A
import numpy as np
import pytest

from tasks.satellite_vegetation.light import Light


@pytest.mark.parametrize("bands", [1, 3, 4, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_same_light_falls_on_the_same_pixels(dtype: type, bands: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (33, 33, bands)).astype(dtype)
    if dtype is np.float32:
        image /= 255
    sliced = np.asfortranarray(image)
    theirs = A.RandomBrightnessContrast(
        brightness_limit=0.2, contrast_limit=0.2, brightness_by_max=False, p=1.0
    )
    for seed in range(20):
        views = []
        for light, seen in ((Light(0.2), image), (Light(0.2), sliced), (theirs, image)):
            pipeline = A.Compose([light])
            twin = random.Random(seed)  # noqa: S311  # no secret
            pipeline.set_random_state(np.random.default_rng(seed), twin)
            views.append(pipeline(image=seen)["image"])
        assert np.array_equal(views[0], views[2])
        assert views[0].dtype == dtype
        if dtype is np.uint8:
            assert np.array_equal(views[1], views[2])
    assert not np.array_equal(views[0], image)
