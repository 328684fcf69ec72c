from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.satellite_vegetation.samples import draw_chip, write_samples
from transfer.errors import OutputError

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


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    write_samples(tmp_path / "a", 20, seed=3)
    write_samples(tmp_path / "b", 20, seed=3)
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_another_seed_gives_other_chips(tmp_path: Path) -> None:
    write_samples(tmp_path / "a", 10, seed=0)
    write_samples(tmp_path / "b", 10, seed=1)
    first, second = _bytes(tmp_path / "a"), _bytes(tmp_path / "b")
    assert not set(first.values()) & set(second.values())


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


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not empty"):
        write_samples(tmp_path, 10, seed=0)
    assert _bytes(tmp_path) == {"mine.txt": b"keep me"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "chips").mkdir()
    write_samples(tmp_path / "chips", 10, seed=0)
    assert len(_bytes(tmp_path / "chips")) == 10


def test_a_place_that_cannot_hold_a_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_samples(tmp_path / "file" / "chips", 10, seed=0)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def fill(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) > 3:
            raise OSError(28, "No space left on device")
        return path.open("wb").write(data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(OutputError, match="No space left"):
        write_samples(tmp_path / "chips", 10, seed=0)
    assert list(tmp_path.iterdir()) == []
