from pathlib import Path

import pytest

from tasks.satellite_vegetation.adapter import read_manifest
from tasks.satellite_vegetation.samples import write_samples
from tasks.satellite_vegetation.settings import Settings
from transfer.errors import DataNotFoundError


@pytest.mark.parametrize("inside", ["", "2750", "EuroSAT_MS", "EuroSAT_RGB"])
def test_eurosat_is_read_from_the_folder_it_unpacks_to(tmp_path: Path, inside: str) -> None:
    write_samples(tmp_path / "eurosat" / inside, 20, seed=0)
    manifest = read_manifest(tmp_path / "eurosat", Settings())
    assert len(manifest) == 20
    assert len(manifest.classes) == 10
    assert all(manifest.row(number).path.is_file() for number in range(20))


def test_every_chip_is_its_own_group(tmp_path: Path) -> None:
    write_samples(tmp_path / "eurosat", 20, seed=0)
    assert set(read_manifest(tmp_path / "eurosat", Settings()).rows["group"]) == {""}


def test_a_folder_without_chips_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path, Settings())
