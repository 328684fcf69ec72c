from pathlib import Path

import pytest

from tasks.medical_imaging.adapter import read_manifest
from tasks.medical_imaging.settings import Settings
from transfer import TargetKind
from transfer.errors import DataNotFoundError, RecipeError


def files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_class_folders_are_read_and_the_finding_is_said(tmp_path: Path):
    files(tmp_path, "NORMAL/a.png", "PNEUMONIA/person1_virus_1.jpeg")
    manifest = read_manifest(tmp_path, Settings())
    assert manifest.classes == ("NORMAL", "PNEUMONIA")
    assert manifest.rows["group"].tolist() == ["", ""]
    assert any("the finding is 'PNEUMONIA'" in note for note in manifest.notes)


def test_an_official_split_of_a_table_is_kept(tmp_path: Path):
    files(tmp_path, "a.png", "b.png", "c.png")
    table = tmp_path / "labels.csv"
    table.write_text("image,label,patient,split\na.png,0,1,train\nb.png,1,2,val\nc.png,0,3,test\n")
    manifest = read_manifest(table, Settings(finding=("1",)))
    assert manifest.rows["split"].tolist() == ["train", "val", "test"]
    assert manifest.rows["group"].tolist() == ["1", "2", "3"]


def test_grades_and_several_labels_are_read(tmp_path: Path):
    files(tmp_path, "a.png", "b.png")
    table = tmp_path / "labels.csv"
    table.write_text("image,label,group\na.png,0,1\nb.png,2,2\n")
    graded = read_manifest(table, Settings(target=TargetKind.ORDINAL))
    assert (graded.target, graded.classes) == (TargetKind.ORDINAL, ("0", "2"))
    assert "the finding is 2" in graded.notes[-1]

    table.write_text("image,group,Effusion,Nodule\na.png,1,1,0\nb.png,2,1,1\n")
    several = read_manifest(table, Settings(target=TargetKind.MULTI_LABEL))
    assert several.rows["label"].tolist() == ["Effusion", "Effusion|Nodule"]
    assert several.notes == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(finding=("PNEUMOTHORAX",)), "is none of the classes"),
        (Settings(prevalence=0.1), "that of one finding, and here are 3"),
    ],
)
def test_settings_that_do_not_fit_the_classes_stop_before_any_training(
    tmp_path: Path, settings: Settings, message: str
):
    files(tmp_path, "bacteria/a.png", "normal/b.png", "virus/c.png")
    with pytest.raises(RecipeError, match=message):
        read_manifest(tmp_path, settings)
    chosen = Settings(finding=("bacteria", "virus"), prevalence=0.1)
    assert len(read_manifest(tmp_path, chosen)) == 3


def test_an_empty_folder_is_a_clear_error(tmp_path: Path):
    with pytest.raises(DataNotFoundError):
        read_manifest(tmp_path, Settings())
