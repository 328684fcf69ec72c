import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.face_recognition.gallery_file import UNKNOWN, GalleryFile, read_gallery, write_gallery
from transfer.errors import OutputError, StoreError

GALLERY = GalleryFile(
    network="0123456789abcdef",
    people=("ann", "Bob né"),
    pictures=(2, 1),
    templates=np.array([[1, 0, 0], [0, 0.6, 0.8]], np.float32),
    aligned=True,
    threshold=0.5,
    false_rate=0.1,
    strangers=(12, 40),
    split="val",
)


def test_a_gallery_comes_back_as_it_went(tmp_path: Path) -> None:
    write_gallery(tmp_path / "new" / "gallery", GALLERY)
    found = read_gallery(tmp_path / "new" / "gallery")
    np.testing.assert_array_equal(found.templates, GALLERY.templates)
    about = {**vars(found), "templates": None}
    assert about == {**vars(GALLERY), "templates": None}
    names = sorted(path.name for path in (tmp_path / "new").rglob("*") if path.is_file())
    assert names == ["gallery.json", "templates.safetensors"]


def test_under_the_threshold_a_face_is_nobodys() -> None:
    likenesses = np.array([[0.7, 0.6], [0.2, 0.5], [0.49, 0.3], [-1, -1]], np.float32)
    assert GALLERY.name(likenesses) == ["ann", "Bob né", UNKNOWN, UNKNOWN]


def test_a_gallery_replaces_a_gallery(tmp_path: Path) -> None:
    write_gallery(tmp_path / "g", GALLERY)
    write_gallery(tmp_path / "g", replace(GALLERY, threshold=0.75))
    assert read_gallery(tmp_path / "g").threshold == 0.75
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(OutputError, match="no gallery"):
        write_gallery(tmp_path, GALLERY)
    with pytest.raises(OutputError, match="no gallery"):
        write_gallery(tmp_path / "diary.txt", GALLERY)
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_a_full_disk_leaves_the_gallery_that_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gallery(tmp_path / "g", GALLERY)

    def fill(path: Path, text: str, encoding: str) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill)
    with pytest.raises(OutputError, match="No space left"):
        write_gallery(tmp_path / "g", replace(GALLERY, threshold=0.75))
    assert read_gallery(tmp_path / "g").threshold == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_a_gallery_that_cannot_be_moved_leaves_the_one_that_stood_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gallery(tmp_path / "g", GALLERY)
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.name == "new":
            raise OSError(1, "Operation not permitted")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="not permitted"):
        write_gallery(tmp_path / "g", replace(GALLERY, threshold=0.75))
    assert read_gallery(tmp_path / "g").threshold == 0.5


def test_what_is_no_gallery_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no gallery in"):
        read_gallery(tmp_path / "nowhere")
    write_gallery(tmp_path / "g", GALLERY)
    about = json.loads((tmp_path / "g" / "gallery.json").read_text())
    for changes, message in (
        ({"format": 9}, "its format is 9"),
        ({"people": ["ann"]}, "1 people, and templates of shape"),
        ({"threshold_of": 1}, "threshold_of"),
    ):
        (tmp_path / "g" / "gallery.json").write_text(json.dumps({**about, **changes}))
        with pytest.raises(StoreError, match=message):
            read_gallery(tmp_path / "g")
    (tmp_path / "g" / "gallery.json").write_text(json.dumps(about))
    (tmp_path / "g" / "templates.safetensors").write_bytes(b"\x80\x04")  # as a pickle begins
    with pytest.raises(StoreError, match="no gallery in"):
        read_gallery(tmp_path / "g")
