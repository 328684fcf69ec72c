"""Enrolment and identification, with a predictor whose embeddings are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.face_recognition.enrolment import (
    Strangers,
    enrol_people,
    faces_in,
    identify_faces,
    people_in,
    strangers_of,
)
from tasks.face_recognition.gallery_file import UNKNOWN
from tasks.face_recognition.landmarks import COLUMNS
from tasks.face_recognition.settings import Settings
from transfer import Manifest, Recipe, Row, TargetKind
from transfer.errors import DataNotFoundError, ImageError, ManifestError, StoreError
from transfer.shipping.predictor import Answers

HERE = Path("faces")
POINTS = dict.fromkeys(COLUMNS, 5.0)


class Known:
    """A predictor to whom a picture called `30_x.png` points 30 degrees up from the east."""

    digest = "feedbeef"

    def __init__(self, **settings: Any) -> None:
        self.recipe = Recipe().with_task(Settings(**settings))

    def answer(self, rows: Sequence[Row], *, embeddings: bool) -> Answers:
        assert embeddings
        errors = ["cannot be read" if "broken" in row.path.name else "" for row in rows]
        angles = [
            np.nan if e else float(r.path.name.partition("_")[0])
            for r, e in zip(rows, errors, strict=True)
        ]
        radians = np.deg2rad(angles)
        vectors = np.column_stack([np.cos(radians), np.sin(radians)]).astype(np.float32)
        names = [str(row.path) for row in rows]
        return Answers(names, np.zeros((len(rows), 0), np.float32), vectors, errors)


def rows(label: str, *angles: float, **columns: float) -> list[Row]:
    return [Row(HERE / f"{angle}_{label}.png", label, columns=columns) for angle in angles]


def strangers(*angles: float) -> Strangers:
    return Strangers(rows("s", *angles), people=len(angles), split="val")


def test_the_threshold_lets_so_many_strangers_pass_as_was_stated() -> None:
    gallery = enrol_people(
        Known(),
        [*rows("ann", 0, 10), *rows("bob", 90)],
        strangers(7, 20, 40, 60, 180, 200, 220, 240, 260, 280),
        0.2,
    )
    assert gallery.people == ("ann", "bob")
    assert gallery.pictures == (2, 1)
    # The nearest of each: ann, who stands at 5 degrees, or bob. 2, 15, 30, 35 degrees, then far.
    expected = (np.cos(np.deg2rad(15)) + np.cos(np.deg2rad(30))) / 2
    assert gallery.threshold == pytest.approx(expected, abs=1e-6)
    assert gallery.network == "feedbeef"
    assert gallery.strangers == (10, 10)


def test_too_few_strangers_set_no_threshold() -> None:
    with pytest.raises(ManifestError, match=r"kept 9 people in 'val' .* 10 are needed"):
        enrol_people(Known(), rows("ann", 0), strangers(*range(9)), 0.1)


def test_strangers_are_neither_learned_nor_enrolled() -> None:
    table = pd.DataFrame(
        [
            ("a.png", "ann", "train"),
            ("b.png", "ann", "calibration"),
            ("c.png", "bob", "calibration"),
            ("d.png", "eve", "calibration"),
            ("e.png", "eve", "calibration"),
            ("f.png", "kim", "val"),
        ],
        columns=["image", "label", "split"],
    )
    people = ("ann", "bob", "eve", "kim")
    manifest = Manifest(HERE, table, people, TargetKind.IDENTITY)
    found = strangers_of(manifest, ["bob"])
    assert [row.path.name for row in found.rows] == ["d.png", "e.png"]
    assert (found.people, found.split) == (1, "calibration")
    without = manifest.keep((table["split"] != "calibration").to_numpy())
    assert [row.label for row in strangers_of(without, ["bob"]).rows] == ["kim"]
    assert strangers_of(without, ["kim"]).people == 0


def gallery_of(predictor: Known, **columns: float) -> Any:
    people = [*rows("ann", 0, **columns), *rows("bob", 90, **columns)]
    others = Strangers(rows("s", 30, 31, 32, 33, **columns), 4, "val")
    return enrol_people(predictor, people, others, 0.25)


def test_a_face_is_somebodys_or_unknown() -> None:
    gallery = gallery_of(Known())
    asked = [*rows("x", 5, 80, 45), Row(HERE / "broken.png"), *rows("x", 180)]
    found = identify_faces(Known(), gallery, asked)
    assert found["person"].fillna("-").tolist() == ["ann", "bob", UNKNOWN, "-", UNKNOWN]
    assert found["nearest"].tolist()[:2] == ["ann", "bob"]
    assert found["likeness"].tolist()[0] == pytest.approx(np.cos(np.deg2rad(5)), abs=1e-6)
    assert found["error"].tolist() == ["", "", "", "cannot be read", ""]
    assert np.isnan(found["likeness"][3])


def test_a_gallery_of_another_network_is_refused() -> None:
    other = Known()
    other.digest = "0000"
    with pytest.raises(StoreError, match=r"feedbeef.* 0000: .*cannot be compared"):
        identify_faces(other, gallery_of(Known()), rows("x", 5))


def test_aligned_faces_are_not_compared_with_others() -> None:
    aligned = gallery_of(Known(), **POINTS)
    assert aligned.aligned
    assert identify_faces(Known(), aligned, rows("x", 5, **POINTS))["person"].tolist() == ["ann"]
    with pytest.raises(ManifestError, match="the gallery is aligned .* these faces are not"):
        identify_faces(Known(), aligned, rows("x", 5))
    with pytest.raises(ManifestError, match="the gallery is not aligned"):
        identify_faces(Known(), gallery_of(Known()), rows("x", 5, **POINTS))
    with pytest.raises(ManifestError, match=r"1 of 5 faces have no landmarks"):
        enrol_people(
            Known(), rows("ann", 0), Strangers(rows("s", 1, 2, 3, 4, **POINTS), 4, "val"), 0.25
        )
    assert not gallery_of(Known(align=False), **POINTS).aligned


def test_a_gallery_with_a_broken_picture_is_not_made() -> None:
    with pytest.raises(ImageError, match=r"1 picture\(s\) cannot be read"):
        enrol_people(Known(), [Row(HERE / "broken.png", "ann")], strangers(*range(10)), 0.1)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name in ("ann/mon/1.png", "ann/2.png", "bob/1.png"):
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    text = "ann/2.png," + ",".join(map(str, range(10)))
    header = "image," + ",".join(COLUMNS)
    (tmp_path / "people" / "landmarks.csv").write_text(f"{header}\n{text}\n")
    return tmp_path / "people"


def test_people_are_read_from_their_folders_with_landmarks_beside_them(people: Path) -> None:
    found = people_in(people)
    assert [(row.path.relative_to(people).as_posix(), row.label) for row in found] == [
        ("ann/2.png", "ann"),
        ("ann/mon/1.png", "ann"),
        ("bob/1.png", "bob"),
    ]
    assert found[0].columns["rightmouth_y"] == 9
    assert found[1].columns == {}
    (only,) = people_in(people / "ann")  # one person can be enrolled as well
    assert only.label == "mon"


def test_faces_are_asked_about_one_by_one_or_by_folder(people: Path) -> None:
    found = faces_in([people, people / "bob" / "1.png"])
    assert [row.path.name for row in found] == ["2.png", "1.png", "1.png", "1.png"]
    assert found[0].columns["nose_x"] == 4
    assert found[3].columns == {}


def test_a_gallery_needs_a_folder_for_each_person(people: Path) -> None:
    with pytest.raises(DataNotFoundError, match="no pictures in folders of people"):
        people_in(people / "bob")
    with pytest.raises(DataNotFoundError, match="no folder"):
        people_in(people / "eve")
