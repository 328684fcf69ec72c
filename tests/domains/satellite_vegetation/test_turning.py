import random

import albumentations as A
import numpy as np
import pytest

from tasks.satellite_vegetation.turning import Turn

ELEMENTS = ("e", "r90", "r180", "r270", "v", "h", "t", "hvt")


@pytest.mark.parametrize("bands", [1, 3, 4, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("element", ELEMENTS)
def test_each_turn_is_that_of_albumentations(element: str, dtype: type, bands: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, bands)).astype(dtype)
    image.flags.writeable = False
    turned = Turn().apply(image, element)
    assert turned.dtype == dtype
    assert np.array_equal(turned, A.D4().apply(image, element))


def test_the_same_turns_are_drawn() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    seen = set()
    for seed in range(64):
        views = []
        for turn in (Turn(p=1.0), A.D4(p=1.0)):
            pipeline = A.Compose([turn])
            twin = random.Random(seed)  # noqa: S311  # no secret
            pipeline.set_random_state(np.random.default_rng(seed), twin)
            views.append(pipeline(image=image)["image"].tobytes())
        assert views[0] == views[1]
        seen.add(views[0])
    assert len(seen) == len(ELEMENTS)
