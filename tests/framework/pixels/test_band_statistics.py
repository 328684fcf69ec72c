import numpy as np
import pytest

from transfer.errors import ManifestError
from transfer.pixels.band_statistics import band_statistics

RNG = np.random.default_rng(0)


def pictures(dtype: type) -> list[np.ndarray]:
    """Pictures of five bands and of several sizes, dark and light ones."""
    drawn = [
        RNG.random((size, size + 1, 5)) * light for size, light in ((4, 0.2), (7, 1), (2, 0.6))
    ]
    if dtype is np.uint8:
        return [(picture * 255).astype(np.uint8) for picture in drawn]
    return [picture.astype(np.float32) for picture in drawn]


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.float32, 1)])
def test_numbers_are_those_of_all_pixels_at_once(dtype: type, largest: int) -> None:
    drawn = pictures(dtype)
    pixels = np.concatenate([p.reshape(-1, 5) for p in drawn]).astype(np.float64) / largest
    found = band_statistics(drawn)
    assert np.allclose(found.mean, pixels.mean(axis=0), atol=1e-6)
    assert np.allclose(found.std, pixels.std(axis=0), atol=1e-6)


@pytest.mark.parametrize("no_data", [0.0, 1.0, np.nan])
def test_pixels_without_data_are_left_out(no_data: float) -> None:
    whole = pictures(np.float32)
    holed = [np.concatenate([picture, np.full_like(picture, no_data)]) for picture in whole]
    holed.append(np.full((3, 3, 5), no_data, dtype=np.float32))  # nothing in it
    assert np.allclose(band_statistics(holed, no_data), band_statistics(whole))


def test_a_value_in_one_band_alone_is_data() -> None:
    picture = np.array([[[0, 100], [0, 0], [50, 0]]], dtype=np.uint8)
    assert np.allclose(band_statistics([picture], 0).mean, np.array([25, 50]) / 255)


def test_a_band_that_never_changes_is_divided_by_one() -> None:
    picture = np.full((9, 9, 2), 0.1, dtype=np.float32)
    picture[0, 0, 1] = 0.9
    found = band_statistics([picture, picture])
    assert found.std[0] == 1.0
    assert found.std[1] < 0.2


def test_nothing_but_holes_is_refused() -> None:
    with pytest.raises(
        ManifestError, match="no pixel of the training rows holds data; no_data = 7"
    ):
        band_statistics([np.full((2, 2, 3), 7, dtype=np.uint8)], 7)
