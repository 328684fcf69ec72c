import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.face_recognition.adapter import read_manifest, session_of
from tasks.face_recognition.landmarks import COLUMNS
from tasks.face_recognition.settings import Settings, Use
from transfer import TargetKind
from transfer.errors import ManifestError

UNSEEN = Settings(use=Use.VERIFICATION)
PEOPLE = [
    "ann/mon/ann_0001.jpg",
    "ann/mon/ann_0002.jpg",
    "ann/tue/ann_0003.jpg",
    "bob/bob_0001.jpg",
]

Write = Callable[[Sequence[str]], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a small picture under each name; no two are equal."""

    def pictures(names: Sequence[str]) -> Path:
        for number, name in enumerate(names):
            path = tmp_path / "faces" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
            os.utime(path, (1e9, 1e9))
        return tmp_path / "faces"

    return pictures


def landmarks(names: Sequence[str], points: Mapping[str, str] = {}) -> str:  # never changed
    lines = [f"{name},{points.get(name, ','.join(map(str, range(10))))}" for name in names]
    return "\n".join(["image," + ",".join(COLUMNS), *lines]) + "\n"


def test_a_session_is_what_lies_between_a_person_and_a_picture() -> None:
    assert session_of("ann/mon/1.jpg", "ann") == "mon"
    assert session_of("train/ann/2020/mon/1.jpg", "ann") == "2020/mon"
    assert session_of("ann/1.jpg", "ann") == ""
    assert session_of("pictures/1.jpg", "ann") == ""
    assert session_of("ann/ann/mon/1.jpg", "ann") == "mon"


def test_a_closed_set_keeps_sessions_together(write: Write) -> None:
    manifest = read_manifest(write(PEOPLE), Settings())
    assert manifest.target is TargetKind.SINGLE_LABEL
    assert manifest.rows["session"].tolist() == ["mon", "mon", "tue", ""]
    assert manifest.rows["group"].tolist() == ["ann/mon", "ann/mon", "ann/tue", ""]


def test_of_people_never_seen_each_is_a_group(write: Write) -> None:
    manifest = read_manifest(write(PEOPLE), UNSEEN)
    assert manifest.target is TargetKind.IDENTITY
    assert manifest.rows["group"].tolist() == manifest.rows["label"].tolist()
    assert manifest.classes == ("ann", "bob")


def test_a_table_may_say_when_a_picture_was_taken(write: Write) -> None:
    folder = write(PEOPLE)
    lines = [f"{name},{name[:3]},day {n % 2}" for n, name in enumerate(PEOPLE)]
    (folder / "all.csv").write_text("\n".join(["image,label,session", *lines]))
    rows = read_manifest(folder / "all.csv", UNSEEN).rows
    assert rows["session"].tolist() == ["day 0", "day 1", "day 0", "day 1"]
    assert rows["group"].tolist() == ["ann", "ann", "ann", "bob"]


def test_a_group_of_a_table_is_taken_for_a_session(write: Write) -> None:
    folder = write(["1.jpg", "2.jpg", "3.jpg"])
    (folder / "all.csv").write_text("image,label,group\n1.jpg,ann,a\n2.jpg,ann,b\n3.jpg,bob,c\n")
    rows = read_manifest(folder / "all.csv", UNSEEN).rows
    assert rows["session"].tolist() == ["a", "b", "c"]
    assert rows["group"].tolist() == ["ann", "ann", "bob"]
    assert read_manifest(folder / "all.csv", Settings()).rows["group"].tolist() == ["a", "b", "c"]


def test_without_landmarks_it_says_that_faces_are_not_aligned(write: Write) -> None:
    (note,) = read_manifest(write(PEOPLE), Settings()).notes
    assert "not aligned" in note
    assert "landmarks.csv" in note


def test_landmarks_beside_the_folders_go_with_their_pictures(write: Write) -> None:
    folder = write(PEOPLE)
    (folder / "landmarks.csv").write_text(landmarks(PEOPLE[::-1], {PEOPLE[1]: "9," * 9 + "9"}))
    manifest = read_manifest(folder, Settings())
    assert manifest.notes == ()
    assert manifest.row(0).columns["lefteye_y"] == 1.0
    assert manifest.row(1).columns["lefteye_y"] == 9.0


def test_landmarks_may_be_columns_of_the_table(write: Write) -> None:
    folder = write(["1.jpg", "2.jpg"])
    text = landmarks(["1.jpg,ann", "2.jpg,bob"]).replace("image,", "image,label,", 1)
    (folder / "all.csv").write_text(text)
    assert read_manifest(folder / "all.csv", Settings()).row(1).columns["rightmouth_y"] == 9.0


def test_pictures_whose_face_was_not_found_are_left_out_and_counted(write: Write) -> None:
    folder = write(PEOPLE)
    (folder / "landmarks.csv").write_text(landmarks(PEOPLE[1:], {PEOPLE[2]: "," * 9}))
    manifest = read_manifest(folder, Settings())
    assert manifest.rows["image"].tolist() == [PEOPLE[1], PEOPLE[3]]
    assert manifest.notes == ("left out 2 picture(s) without landmarks",)


def test_landmarks_of_other_pictures_are_refused(write: Write) -> None:
    folder = write(PEOPLE)
    (folder / "landmarks.csv").write_text(landmarks(["eve/1.jpg"]))
    with pytest.raises(ManifestError, match="none of the 4 pictures"):
        read_manifest(folder, Settings())


def test_alignment_can_be_left_out(write: Write) -> None:
    folder = write(PEOPLE)
    (folder / "landmarks.csv").write_text(landmarks(PEOPLE))
    manifest = read_manifest(folder, Settings(align=False))
    assert "lefteye_x" not in manifest.rows
    assert any("align = false" in note for note in manifest.notes)


def test_people_of_given_pairs_are_the_test_people(write: Write) -> None:
    folder = write([*PEOPLE, "eve/eve_0001.jpg", "eve/eve_0002.jpg"])
    (folder / "pairs.txt").write_text("1 1\nann 1 3\nann 2 bob 1\n")
    manifest = read_manifest(folder, UNSEEN)
    splits = dict(zip(manifest.rows["label"], manifest.rows["split"], strict=True))
    assert splits == {"ann": "test", "bob": "test", "eve": ""}
    assert manifest.rows["pairs"].tolist() == ["0:0", "0:1", "0:0", "0:1", "", ""]
    assert any("2 people in pairs are the test people" in note for note in manifest.notes)
    assert "pairs" not in read_manifest(folder, Settings()).rows


def test_given_splits_stay_beside_given_pairs(write: Write) -> None:
    folder = write(PEOPLE)
    (folder / "pairs.txt").write_text("1 1\nann 1 3\nann 2 bob 1\n")
    lines = [f"{name},{name[:3]},{'test' if 'ann' in name else 'train'}" for name in PEOPLE]
    (folder / "all.csv").write_text("\n".join(["image,label,split", *lines]))
    rows = read_manifest(folder / "all.csv", UNSEEN).rows
    assert rows["split"].tolist() == ["test", "test", "test", "train"]
    assert rows["pairs"].tolist() == ["0:0", "0:1", "0:0", "0:1"]
