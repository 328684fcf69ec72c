from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.satellite_vegetation.samples import draw_chip, write_samples

# The ten classes of Helber et al. 2019, table II, and the mean red, green and blue of the first
# 300 chips of each in EuroSAT RGB.
EUROSAT_MEANS = {
    "AnnualCrop": (131, 121, 118),
    "Forest": (39, 64, 76),
    "HerbaceousVegetation": (98, 98, 104),
    "Highway": (88, 97, 103),
    "Industrial": (123, 126, 135),
    "Pasture": (62, 89, 95),
    "PermanentCrop": (122, 116, 114),
    "Residential": (100, 103, 113),
    "River": (66, 87, 97),
    "SeaLake": (49, 74, 90),
}


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_smaller_count_gives_the_first_chips(tmp_path: Path) -> None:
    write_samples(tmp_path / "few", 14, seed=0)
    write_samples(tmp_path / "more", 23, seed=0)
    assert _bytes(tmp_path / "few").items() < _bytes(tmp_path / "more").items()


@pytest.mark.parametrize("count", [3, 40, 47])
def test_the_count_is_met_and_the_classes_are_even(tmp_path: Path, count: int) -> None:
    write_samples(tmp_path / "chips", count, seed=0)
    counts = [len(list((tmp_path / "chips" / name).glob("*"))) for name in EUROSAT_MEANS]
    assert sum(counts) == count
    assert max(counts) - min(counts) <= 1


def test_the_layout_is_that_of_eurosat(tmp_path: Path) -> None:
    write_samples(tmp_path / "chips", 20, seed=0)
    expected = {f"{name}/{name}_{number}.jpg" for name in EUROSAT_MEANS for number in (1, 2)}
    assert set(_bytes(tmp_path / "chips")) == expected


def test_chips_are_rgb_jpeg_files_of_64_px(tmp_path: Path) -> None:
    write_samples(tmp_path / "chips", 10, seed=0)
    for path in (tmp_path / "chips").rglob("*.jpg"):
        with Image.open(path) as chip:
            assert (chip.format, chip.size, chip.mode) == ("JPEG", (64, 64), "RGB")


def test_files_show_the_colours_that_were_drawn(tmp_path: Path) -> None:
    write_samples(tmp_path / "chips", 10, seed=0)
    with Image.open(tmp_path / "chips" / "Residential" / "Residential_1.jpg") as chip:
        written = np.asarray(chip, np.float64)
    drawn = draw_chip("Residential", 1, seed=0)
    np.testing.assert_allclose(written.mean((0, 1)), drawn.mean((0, 1)), atol=1)


@pytest.mark.parametrize("name", EUROSAT_MEANS)
def test_mean_colours_are_near_those_of_real_chips(name: str) -> None:
    chips = np.stack([draw_chip(name, number, seed=0) for number in range(16)])
    assert np.abs(chips.mean((0, 1, 2)) - EUROSAT_MEANS[name]).max() < 35


def test_chips_of_a_class_differ_in_light_as_well_as_in_pattern() -> None:
    means = [draw_chip("Residential", number, seed=0).mean() for number in range(16)]
    assert np.std(means) > 10
