import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.detect import read_layout

TABLE = "image,label\nimages/1.jpg,cat\nimages/2.jpg,dog\n"


def touch(root: Path, files: Iterable[str]) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def refusal(data: Path) -> str:
    with pytest.raises(DataNotFoundError) as caught:
        read_layout(data)
    return str(caught.value)


def test_class_folders_are_read(tmp_path: Path) -> None:
    assert len(read_layout(touch(tmp_path, ["cat/1.jpg", "dog/1.jpg"]))) == 2


def test_split_folders_are_read(tmp_path: Path) -> None:
    touch(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "test/cat/2.jpg"])
    assert read_layout(tmp_path).rows["split"].tolist() == ["test", "train", "train"]


def test_a_table_is_read(tmp_path: Path) -> None:
    touch(tmp_path, ["images/1.jpg", "images/2.jpg"])
    (tmp_path / "labels.CSV").write_text(TABLE)
    assert len(read_layout(tmp_path / "labels.CSV")) == 2


def test_the_one_table_in_a_folder_is_read(tmp_path: Path) -> None:
    touch(tmp_path, ["images/1.jpg", "images/2.jpg"])
    (tmp_path / "labels.csv").write_text(TABLE)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert read_layout(tmp_path).classes == ("cat", "dog")


def test_the_table_beside_flat_pictures_is_read(tmp_path: Path) -> None:
    touch(tmp_path, ["1.jpg", "2.jpg"])
    (tmp_path / "labels.csv").write_text(TABLE.replace("images/", ""))
    assert len(read_layout(tmp_path)) == 2


def test_a_table_beside_class_folders_must_be_given_itself(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    (tmp_path / "split.csv").write_text(
        "image,label,split\ncat/1.jpg,cat,test\ndog/1.jpg,dog,test\n"
    )
    with pytest.raises(ManifestError, match=r"class folders and the table 'split\.csv'; give '"):
        read_layout(tmp_path)
    assert read_layout(tmp_path / "split.csv").rows["split"].tolist() == ["test", "test"]


def test_a_table_without_the_columns_does_not_stand_in_the_way(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    (tmp_path / "about.csv").write_text("licence,year\nCC0,2020\n")
    assert len(read_layout(tmp_path)) == 2


def test_two_tables_are_not_guessed_at(tmp_path: Path) -> None:
    touch(tmp_path, ["images/1.jpg", "images/2.jpg"])
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(TABLE)
    with pytest.raises(ManifestError, match=r"a\.csv', '.*b\.csv' all fit; give one"):
        read_layout(tmp_path)


def test_no_such_folder_suggests_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "satellite").mkdir()
    assert f"did you mean {str(tmp_path / 'satellite')!r}?" in refusal(tmp_path / "satelite")
    assert f"did you mean {str(tmp_path / 'satellite')!r}?" in refusal(tmp_path / "satelite/train")
    assert f"looked in {str(tmp_path)!r}" in refusal(tmp_path / "zzz")


def test_an_empty_folder_is_called_empty(tmp_path: Path) -> None:
    assert "nothing, it is empty" in refusal(tmp_path)


def test_an_unknown_layout_tells_what_was_tried_and_found(tmp_path: Path) -> None:
    touch(tmp_path, [*(f"{number}.jpg" for number in range(12)), "docs/a.txt", "a.xml"])
    (tmp_path / "t.csv").write_text("file,class\n")
    said = refusal(tmp_path)
    assert "12 pictures directly in the folder, no class folders" in said
    assert "1 folder(s) without pictures" in said
    assert "the table 't.csv' with columns ['file', 'class']" in said
    assert "1 file(s) of other kinds" in said
    assert "Tried: class folders (class/picture" in said
    assert "columns image, label[, group][, split]" in said


@pytest.mark.parametrize("name", ["data.zip", "data.tar", "data.tar.gz", "data.TGZ"])
def test_archives_are_to_be_unpacked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert "unpack it" in refusal(tmp_path / name)
    assert f"the archive {name!r}, which is to be unpacked" in refusal(tmp_path)


def test_another_file_is_no_layout(tmp_path: Path) -> None:
    assert "neither a folder nor a table" in refusal(touch(tmp_path, ["1.jpg"]) / "1.jpg")


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="at least two classes"):
        read_layout(touch(tmp_path, ["cat/1.jpg", "cat/2.jpg"]))


VOC = "<annotation>{}</annotation>"
OBJECT = (
    "<object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
    "</bndbox></object>"
)
COCO = '{"images": [], "annotations": [], "categories": []}'


def annotate(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(VOC.format(OBJECT.format("cat") + OBJECT.format("dog")))


def test_annotations_beside_class_folders_are_not_guessed_at(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/2.jpg"])
    annotate(tmp_path / "cat/1.xml")
    with pytest.raises(
        ManifestError, match=r"VOC boxes \('cat/1.xml'\) and class folders \('cat',"
    ):
        read_layout(tmp_path)


def test_annotations_of_two_layouts_are_not_guessed_at(tmp_path: Path) -> None:
    touch(tmp_path, ["images/1.jpg"])
    annotate(tmp_path / "annotations/1.xml")
    (tmp_path / "all.json").write_text(COCO)
    with pytest.raises(
        ManifestError, match=r"Pascal VOC boxes \(.*\) and COCO boxes \('all.json'\)"
    ):
        read_layout(tmp_path)


def test_annotations_beside_a_table_that_fits_are_not_guessed_at(tmp_path: Path) -> None:
    touch(tmp_path, ["images/1.jpg", "images/2.jpg"])
    annotate(tmp_path / "annotations/1.xml")
    (tmp_path / "labels.csv").write_text(TABLE)
    with pytest.raises(ManifestError, match="and the table 'labels.csv'; give the file"):
        read_layout(tmp_path)
    assert len(read_layout(tmp_path / "labels.csv")) == 2


def test_frames_may_lie_in_folders_of_cameras_masks_and_splits(tmp_path: Path) -> None:
    frames = ["JPEGImages/1.jpg", "SegmentationClass/1.png", "train2017/1.jpg", "image_3/1.png"]
    annotate(touch(tmp_path, frames) / "Annotations/1.xml")
    assert set(read_layout(tmp_path).rows["image"]) == {"JPEGImages/1.jpg"}


def test_what_gdal_writes_beside_pictures_is_no_annotation(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.tif", "dog/1.tif", "cat/1.tif.aux.xml"])
    assert len(read_layout(tmp_path)) == 2


def test_what_is_tried_is_said(tmp_path: Path) -> None:
    assert "frames with boxes (Pascal VOC, COCO, KITTI, YOLO)" in refusal(tmp_path)


def test_no_folder_is_listed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train/cat", "train/dog/old", "test/cat", "test/dog"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.png").touch()
    listed: list[str] = []
    scandir = os.scandir

    def scan(folder: Path) -> object:
        listed.append(str(folder))
        return scandir(folder)

    monkeypatch.setattr("transfer.samples.layouts.listing.os.scandir", scan)
    assert len(read_layout(tmp_path)) == 4
    assert sorted(listed) == sorted(set(listed))
    assert len(listed) == 8
