from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.face_recognition.landmarks import COLUMNS, POINTS
from tasks.face_recognition.samples import write_samples


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(("count", "people"), [(1, 1), (40, 2), (67, 3), (600, 30)])
def test_the_count_is_met_by_people_of_about_twenty_pictures(
    tmp_path: Path, count: int, people: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank = np.zeros((112, 112, 3), np.uint8), np.zeros((5, 2))
    monkeypatch.setattr("tasks.face_recognition.samples.draw_face", lambda *_: blank)
    write_samples(tmp_path / "faces", count, seed=0)
    counts = [len(list(folder.rglob("*.jpg"))) for folder in (tmp_path / "faces").glob("person_*")]
    assert sum(counts) == count
    assert len(counts) == people
    assert max(counts) - min(counts) <= 1


def test_sessions_are_folders_of_four_pictures_that_share_a_background(tmp_path: Path) -> None:
    write_samples(tmp_path / "faces", 40, seed=0)
    corners = {
        session.name: [np.asarray(Image.open(file))[:6, :6].mean((0, 1)) for file in files]
        for session in sorted((tmp_path / "faces" / "person_01").iterdir())
        if (files := sorted(session.iterdir()))
    }
    assert [len(each) for each in corners.values()] == [4] * 5
    within = np.mean([np.std(each, axis=0).mean() for each in corners.values()])
    between = np.std([np.mean(each, axis=0) for each in corners.values()], axis=0).mean()
    assert between > 1.5 * within


def test_landmarks_lie_where_they_should(tmp_path: Path) -> None:
    write_samples(tmp_path / "faces", 80, seed=0)
    table = pd.read_csv(tmp_path / "faces" / "landmarks.csv")
    assert list(table) == ["image", *COLUMNS]
    assert all((tmp_path / "faces" / image).is_file() for image in table["image"])
    points = table[list(COLUMNS)].to_numpy().reshape(-1, len(POINTS), 2)
    left, right, nose, *mouth = points.transpose(1, 0, 2)
    assert (left[:, 0] < right[:, 0]).all()
    assert (mouth[0][:, 0] < mouth[1][:, 0]).all()
    eyes, lips = (left + right) / 2, (mouth[0] + mouth[1]) / 2
    assert (eyes[:, 1] < nose[:, 1]).all()
    assert (nose[:, 1] < lips[:, 1]).all()
    assert (np.abs(points - 56) < 56).mean() > 0.99  # hardly any beyond the edge
