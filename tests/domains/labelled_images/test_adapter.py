from pathlib import Path

import pytest

from tasks.labelled_images.adapter import read_manifest
from tasks.labelled_images.samples import SHAPES, write_samples
from tasks.labelled_images.settings import Settings
from transfer import TargetKind
from transfer.errors import DataNotFoundError, ManifestError


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


def test_which_objects_count_is_a_setting(tmp_path: Path) -> None:
    frames, labels = tmp_path / "training/image_2", tmp_path / "training/label_2"
    frames.mkdir(parents=True)
    labels.mkdir()
    (frames / "1.png").touch()
    rest = "1.6 1.6 3.2 0 1.7 9 0"
    lines = [f"{name} 0 0 0 0 0 {side} 20 {rest}" for name, side in (("Car", 9), ("Van", 12))]
    (labels / "1.txt").write_text("\n".join([*lines, lines[0].replace("Car 0 0", "Car 0 1")]))
    assert len(read_manifest(tmp_path, Settings())) == 3
    with pytest.raises(ManifestError, match="all 1 picture"):
        read_manifest(tmp_path, Settings(min_size=10))


def test_an_empty_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path, Settings())


def test_what_a_label_means_is_a_setting(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.png").touch()
    (tmp_path / "t.csv").write_text("image,label\na.png,wet|cold\nb.png,\n")
    manifest = read_manifest(tmp_path / "t.csv", Settings(target=TargetKind.MULTI_LABEL))
    assert (manifest.target, manifest.classes) == (TargetKind.MULTI_LABEL, ("cold", "wet"))

    (tmp_path / "t.csv").write_text("image,label\na.png,mild\nb.png,grave\n")
    grades = ("mild", "grave")
    graded = read_manifest(tmp_path, Settings(target=TargetKind.ORDINAL, grades=grades))
    assert (graded.target, graded.classes) == (TargetKind.ORDINAL, grades)

    (tmp_path / "t.csv").write_text("image,wet,cold,night\na.png,1,0,1\nb.png,0,1,1\n")
    chosen = Settings(target=TargetKind.MULTI_LABEL, labels=("wet", "cold"))
    assert read_manifest(tmp_path, chosen).rows["label"].tolist() == ["wet", "cold"]
