import numpy as np
import pytest

from transfer.images.likeness import shows_rather

PICTURE = np.random.default_rng(0).integers(0, 255, (6, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1)


@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_a_mirrored_view_is_told_though_it_is_moved_darker_and_smaller(scale: float) -> None:
    mirrored = PICTURE[:, ::-1]
    for seen, shown in ((mirrored, True), (PICTURE, False)):
        view = np.roll(seen, 2, axis=0)[::2, ::2] // 2
        assert shows_rather(mirrored * scale, PICTURE * scale, view * scale) is shown


def test_what_is_symmetric_or_flat_is_never_clearly_mirrored() -> None:
    symmetric = np.concatenate([PICTURE, PICTURE[:, ::-1]], axis=1)
    for picture in (symmetric, np.full((48, 48, 1), 7, np.uint8)):
        assert not shows_rather(picture[:, ::-1], picture, picture[:, ::-1])
