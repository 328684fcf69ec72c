import cv2
import numpy as np
import pytest

from transfer.images.framing import frame

RNG = np.random.default_rng(5)


def noise(height: int, width: int, bands: int = 3, dtype: type = np.uint8) -> np.ndarray:
    values = RNG.random((height, width, bands))
    return (values * 255).astype(np.uint8) if dtype is np.uint8 else values.astype(np.float32)


@pytest.mark.parametrize("mode", ["crop", "pad", "squash"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("bands", [1, 2, 3, 4, 5, 13])
@pytest.mark.parametrize(("height", "width"), [(10, 90), (90, 40), (7, 7), (100, 100), (1, 60)])
def test_every_picture_becomes_square(
    mode: str, dtype: type, bands: int, height: int, width: int
) -> None:
    pixels = noise(height, width, bands, dtype)
    framed = frame(pixels, 32, mode)
    assert framed.shape == (32, 32, bands)
    assert framed.dtype == dtype
    assert framed.flags.c_contiguous
    rounding = 0 if dtype == np.uint8 else 1e-6  # of a mean of floats
    assert framed.min() >= pixels.min() - rounding
    assert framed.max() <= pixels.max() + rounding


@pytest.mark.parametrize("mode", ["crop", "pad", "squash"])
def test_a_picture_that_fits_is_not_copied(mode: str) -> None:
    pixels = noise(32, 32)
    assert frame(pixels, 32, mode) is pixels


@pytest.mark.parametrize("shape", [(32, 50), (50, 32)])
def test_a_part_does_not_keep_the_whole_picture_in_memory(shape: tuple[int, int]) -> None:
    pixels = noise(*shape)
    framed = frame(pixels, 32, "crop")
    assert not np.shares_memory(framed, pixels)
    top, left = (shape[0] - 32) // 2, (shape[1] - 32) // 2
    assert np.array_equal(framed, pixels[top : top + 32, left : left + 32])


@pytest.mark.parametrize("bands", [1, 3, 7])
@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_by_a_whole_factor_averages_blocks(factor: int, bands: int) -> None:
    pixels = noise(8 * factor, 8 * factor, bands, np.float32)
    expected = np.array(
        [
            [
                pixels[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor].mean((0, 1))
                for x in range(8)
            ]
            for y in range(8)
        ]
    )
    assert np.allclose(frame(pixels, 8, "crop"), expected, atol=1e-6)


def test_a_fine_pattern_does_not_alias() -> None:
    stripes = np.zeros((300, 300, 1), np.float32)
    stripes[:, ::2] = 1
    framed = frame(stripes, 100, "crop")
    assert abs(framed.mean() - 0.5) < 0.01
    assert framed.std() < 0.2  # picking every third column would give 0.5


@pytest.mark.parametrize("size", [10, 17, 23, 32, 60])
def test_scaling_agrees_with_a_slow_area_average(size: int) -> None:
    rough = RNG.random((5, 5, 3)).astype(np.float32)
    pixels = cv2.resize(rough, (48, 48), interpolation=cv2.INTER_CUBIC)
    fine = np.repeat(np.repeat(pixels, size, axis=0), size, axis=1)  # a common multiple of both
    expected = fine.reshape(size, 48, size, 48, 3).mean(axis=(1, 3))
    assert np.abs(frame(pixels, size, "squash") - expected).mean() < 0.02


def test_bands_do_not_mix() -> None:
    pixels = noise(50, 70, 13)
    together = frame(pixels, 24, "crop")
    for band in range(13):
        alone = frame(pixels[:, :, band : band + 1], 24, "crop")
        # vector and scalar instructions round the last bit differently
        assert np.abs(together[:, :, band : band + 1].astype(int) - alone).max() <= 1


def test_crop_takes_the_centre() -> None:
    pixels = np.zeros((40, 120, 3), np.uint8)
    pixels[:, 40:80] = 200
    assert (frame(pixels, 20, "crop") == 200).all()


def test_pad_keeps_the_whole_picture_and_its_mean() -> None:
    pixels = noise(40, 80, 3, np.float32)
    framed = frame(pixels, 20, "pad")
    blocks = pixels.reshape(10, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.allclose(framed[5:15], blocks, atol=1e-6)
    assert np.allclose(framed[:5], pixels.mean((0, 1)), atol=1e-6)
    assert np.allclose(framed.mean((0, 1)), pixels.mean((0, 1)), atol=1e-6)


def test_pad_keeps_the_aspect() -> None:
    pixels = np.zeros((60, 30, 1), np.uint8)
    pixels[:30] = 200
    framed = frame(pixels, 60, "pad")
    assert (framed[:, :15] == 100).all()
    assert np.array_equal(framed[:, 15:45], pixels)


def test_squash_scales_each_side_by_itself() -> None:
    pixels = np.zeros((8, 64, 1), np.uint8)
    pixels[:, 32:] = 240
    framed = frame(pixels, 16, "squash")
    assert (framed[:, :8] == 0).all()
    assert (framed[:, 8:] == 240).all()


def test_the_same_pixels_give_the_same_result() -> None:
    pixels = noise(333, 217)
    first = frame(pixels, 100, "crop")
    assert all(np.array_equal(frame(pixels.copy(), 100, "crop"), first) for _ in range(3))


def test_opencv_starts_no_threads_of_its_own() -> None:
    assert cv2.getNumThreads() == 1


def test_pixels_that_must_not_be_written_to_are_only_read() -> None:
    pixels = noise(50, 80)
    pixels.flags.writeable = False
    for mode in ("crop", "pad", "squash"):
        assert frame(pixels, 32, mode).shape == (32, 32, 3)
