from pathlib import Path

import numpy as np
import pytest

from tasks.driving_objects.facts import measure
from transfer import Row
from transfer.images.crop import Box


def test_an_object_is_as_high_as_its_box_or_else_as_its_picture() -> None:
    pixels = np.zeros((40, 20, 3), np.uint8)
    assert measure(Row(Path("a"), box=Box(2, 3, 9, 33.5)), pixels)["height_px"] == 30.5
    assert measure(Row(Path("a")), pixels)["height_px"] == 40


def test_brightness_is_the_mean_of_all_colours_whatever_their_depth() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    expected = pixels.mean() / 255
    assert measure(Row(Path("a")), pixels)["brightness"] == pytest.approx(expected)
    unit = (pixels / 255).astype(np.float32)
    assert measure(Row(Path("a")), unit)["brightness"] == pytest.approx(expected, abs=1e-6)
