import os
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.folder import list_pictures, read_folders


def touch(root: Path, files: Iterable[str]) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def listed(root: Path) -> list[tuple[str, str, str]]:
    rows = read_folders(root).rows
    return list(zip(rows["image"], rows["label"], rows["split"], strict=True))


def test_a_folder_names_the_class_of_its_pictures(tmp_path: Path) -> None:
    touch(tmp_path, ["dog/2.jpg", "dog/1.png", "cat/1.jpg"])
    assert listed(tmp_path) == [
        ("cat/1.jpg", "cat", ""),
        ("dog/1.png", "dog", ""),
        ("dog/2.jpg", "dog", ""),
    ]
    manifest = read_folders(tmp_path)
    assert manifest.root == tmp_path
    assert manifest.classes == ("cat", "dog")
    assert manifest.notes == ()


def test_a_class_may_have_folders_of_its_own(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/indoors/old/1.jpg", "cat/2.jpg", "dog/1.jpg"])
    assert listed(tmp_path)[1] == ("cat/indoors/old/1.jpg", "cat", "")


def test_suffixes_are_read_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.JPG", "cat/2.Tiff", "dog/1.WebP"])
    assert len(listed(tmp_path)) == 3


def test_unicode_and_spaces_in_names_are_fine(tmp_path: Path) -> None:
    touch(tmp_path, ["Bäume im Wald/Fichte 1.jpg", "草地/図 2.png", "a'b\"c,d\n/x\ty.jpg"])
    assert {label for _, label, _ in listed(tmp_path)} == {
        "Bäume im Wald",
        "草地",
        "a'b\"c,d\n",
    }


def test_hidden_files_and_what_archives_leave_behind_are_ignored(tmp_path: Path) -> None:
    hidden = ["cat/.thumb.jpg", ".git/x.jpg", "__MACOSX/cat/._1.jpg", "cat/__MACOSX/1.jpg"]
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg", *hidden])
    manifest = read_folders(tmp_path)
    assert manifest.rows["image"].tolist() == ["cat/1.jpg", "dog/1.jpg"]
    assert manifest.notes == ()


def test_what_is_left_aside_is_told(tmp_path: Path) -> None:
    others = ["cat/a.txt", "cat/b.txt", "dog/README", "labels.xml"]
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg", "loose.jpg", *others])
    (tmp_path / "cow").mkdir()
    loose, kinds, bare = read_folders(tmp_path).notes
    assert loose.startswith("left aside 1 picture(s) directly in")
    assert kinds == "left aside 4 file(s) that are no pictures (.txt, no suffix, .xml)"
    assert bare == "no pictures in 1 class folder(s), first 'cow'"


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL"])
def test_folders_named_as_splits_give_the_splits(tmp_path: Path, val: str) -> None:
    touch(tmp_path, ["Train/cat/1.jpg", f"{val}/cat/2.jpg", "test/dog/a/3.jpg", "train/dog/4.jpg"])
    assert listed(tmp_path) == sorted(
        [
            ("Train/cat/1.jpg", "cat", "train"),
            (f"{val}/cat/2.jpg", "cat", "val"),
            ("test/dog/a/3.jpg", "dog", "test"),
            ("train/dog/4.jpg", "dog", "train"),
        ]
    )


def test_train_alone_above_the_classes_is_a_split(tmp_path: Path) -> None:
    touch(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg"])
    assert {split for *_, split in listed(tmp_path)} == {"train"}


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    touch(tmp_path, ["train/1.jpg", "bus/1.jpg"])
    assert listed(tmp_path) == [("bus/1.jpg", "bus", ""), ("train/1.jpg", "train", "")]


def test_pictures_without_class_beside_the_splits_are_told(tmp_path: Path) -> None:
    touch(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "test/2.jpg"])
    manifest = read_folders(tmp_path)
    assert len(manifest) == 2
    assert manifest.notes[0].startswith("left aside 2 picture(s) directly in")
    assert "/test'" in manifest.notes[0]


def test_another_folder_of_pictures_beside_the_splits_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["train/cat/1.jpg", "train/dog/1.jpg", "extra/cat/1.jpg", "docs/a.txt"])
    with pytest.raises(ManifestError, match=r"beside them 'extra' with 1 picture"):
        read_folders(tmp_path)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="at least two classes"):
        read_folders(touch(tmp_path, ["cat/1.jpg", "cat/2.jpg"]))


@pytest.mark.parametrize("above", ["EuroSAT", "train/EuroSAT"])
def test_a_folder_around_the_classes_is_seen(tmp_path: Path, above: str) -> None:
    touch(tmp_path, [f"{above}/forest/1.jpg", f"{above}/river/1.jpg"])
    with pytest.raises(ManifestError, match=rf"\['forest', 'river'\].*give .*{above}'"):
        read_folders(tmp_path)


@pytest.mark.parametrize("files", [[], ["1.jpg"], ["cat/notes.txt"], ["train/1.jpg", "test/1.jpg"]])
def test_no_class_folder_is_no_data(tmp_path: Path, files: list[str]) -> None:
    with pytest.raises(DataNotFoundError, match="no class folder with pictures"):
        read_folders(touch(tmp_path, files))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "cat/deep/2.jpg", "cat/wild/3.jpg", "dog/1.jpg"])
    (tmp_path / "cat/deep/up").symlink_to(tmp_path / "cat")
    (tmp_path / "cat/top").symlink_to(tmp_path)
    (tmp_path / "dog/above").symlink_to(tmp_path.parent)
    (tmp_path / "dog/friend").symlink_to(tmp_path / "cat/wild")
    (tmp_path / "here").symlink_to(".")
    assert [(image, label) for image, label, _ in listed(tmp_path)] == [
        ("cat/1.jpg", "cat"),
        ("cat/deep/2.jpg", "cat"),
        ("cat/wild/3.jpg", "cat"),
        ("dog/1.jpg", "dog"),
        ("dog/friend/3.jpg", "dog"),
    ]


def test_a_web_of_links_lists_each_folder_once(tmp_path: Path) -> None:
    names = [f"f{number}" for number in range(12)]
    touch(tmp_path, [*(f"cat/{name}/1.jpg" for name in names), "dog/1.jpg"])
    for one in names:
        for other in names:
            (tmp_path / "cat" / one / f"to {other}").symlink_to(tmp_path / "cat" / other)
    assert len(listed(tmp_path)) == 13


def test_a_class_may_be_a_link_to_another_place(tmp_path: Path) -> None:
    touch(tmp_path, ["elsewhere/1.jpg", "data/dog/1.jpg"])
    (tmp_path / "data/cat").symlink_to(tmp_path / "elsewhere")
    assert listed(tmp_path / "data")[0] == ("cat/1.jpg", "cat", "")


def test_links_to_nowhere_stay_in_the_list_to_be_found_broken(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    (tmp_path / "cat/gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "cat/self.jpg").symlink_to("self.jpg")
    assert [image for image, *_ in listed(tmp_path)][:3] == [
        "cat/1.jpg",
        "cat/gone.jpg",
        "cat/self.jpg",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/1.jpg"])
    (tmp_path / "cat").chmod(0)
    with pytest.raises(DataNotFoundError, match=r"cat/?' cannot be listed"):
        read_folders(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["cat/1.jpg", "dog/😀.jpg"])
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/dog/caf\xe9.jpg")).touch()
    with pytest.raises(ManifestError, match=r"caf\\xe9.* is not valid UTF-8"):
        read_folders(tmp_path)


def marked(root: Path, files: Iterable[str]) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(128) + b"DICM and more")
    return root


def test_dicom_files_are_pictures(tmp_path: Path) -> None:
    touch(tmp_path, ["ill/1.dcm", "well/2.DCM", "well/3.dicom"])
    assert [label for _, label, _ in listed(tmp_path)] == ["ill", "well", "well"]


def test_dicom_files_without_a_suffix_are_pictures_where_nothing_else_lies(tmp_path: Path) -> None:
    marked(tmp_path, ["ill/IM000001", "ill/1.2.840.113619.2.55", "well/a/IM1", "well/DICOMDIR"])
    assert [image for image, _, _ in listed(tmp_path)] == [
        "ill/1.2.840.113619.2.55",
        "ill/IM000001",
        "well/a/IM1",
    ]
    assert read_folders(tmp_path).notes == (
        "left aside 1 file(s) that are no pictures (no suffix)",
    )
    assert list_pictures([tmp_path / "ill"]) == [
        tmp_path / "ill" / "1.2.840.113619.2.55",
        tmp_path / "ill" / "IM000001",
    ]


@pytest.mark.parametrize("other", ["ill/notes.txt", "ill/picture.jpg", "ill/README"])
def test_beside_other_files_a_file_without_a_suffix_is_none(tmp_path: Path, other: str) -> None:
    marked(tmp_path, ["ill/IM000001", "well/IM000001", "worse/IM000001"])
    touch(tmp_path, [other])
    assert "ill/IM000001" not in [image for image, _, _ in listed(tmp_path)]
