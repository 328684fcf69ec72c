from pathlib import Path

import pytest

from tasks.labelled_images.adapter import read_manifest
from tasks.labelled_images.augmentation import Settings
from tasks.labelled_images.samples import SHAPES, write_samples
from transfer.errors import DataNotFoundError


def test_class_folders_are_read(tmp_path: Path) -> None:
    write_samples(tmp_path / "shapes", 20, seed=0)
    manifest = read_manifest(tmp_path / "shapes", Settings())
    assert len(manifest) == 20
    assert set(manifest.classes) == set(SHAPES)


def test_a_table_is_read(tmp_path: Path) -> None:
    write_samples(tmp_path / "shapes", 4, seed=0)
    files = sorted((tmp_path / "shapes").rglob("*_*"))
    lines = [f"{path.relative_to(tmp_path).as_posix()},{path.parent.name}" for path in files]
    (tmp_path / "table.csv").write_text("\n".join(["image,label", *lines]))
    assert len(read_manifest(tmp_path / "table.csv", Settings())) == 4


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path, Settings())
