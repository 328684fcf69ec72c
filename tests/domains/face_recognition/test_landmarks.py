from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from tasks.face_recognition.landmarks import (
    COLUMNS,
    SIDE,
    TEMPLATE,
    align,
    as_numbers,
    points_of,
    read_landmarks,
    similarity,
)
from tasks.face_recognition.reading import read_face
from tasks.face_recognition.settings import Settings
from transfer import Row
from transfer.errors import ImageError, ManifestError


def _moved(angle: float, scale: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return TEMPLATE @ turn.T + shift


@pytest.mark.parametrize("angle", [0, 0.3, -2.5])
@pytest.mark.parametrize("scale", [0.4, 1, 3.7])
def test_what_was_turned_scaled_and_shifted_is_brought_back(angle: float, scale: float) -> None:
    points = _moved(angle, scale, (40, -7))
    warp = similarity(points, TEMPLATE)
    np.testing.assert_allclose(points @ warp[:, :2].T + warp[:, 2], TEMPLATE, atol=1e-9)
    assert np.hypot(warp[0, 0], warp[1, 0]) == pytest.approx(1 / scale)


def test_points_that_do_not_fit_are_brought_as_near_as_any_turn_can() -> None:
    points = _moved(0.4, 1.5, (9, 9)) + np.random.default_rng(0).normal(0, 3, (5, 2))
    # a x - b y + c and b x + a y + d are linear in a, b, c, d: numpy solves for them.
    x, y = points.T
    one, zero = np.ones(5), np.zeros(5)
    system = np.concatenate(
        [np.column_stack([x, -y, one, zero]), np.column_stack([y, x, zero, one])]
    )
    a, b, c, d = np.linalg.lstsq(system, TEMPLATE.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(similarity(points, TEMPLATE), [[a, -b, c], [b, a, d]], atol=1e-9)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    warp = similarity(TEMPLATE * (-1, 1), TEMPLATE)
    assert np.linalg.det(warp[:, :2]) > 0


def test_points_that_are_one_have_no_turn() -> None:
    with pytest.raises(ImageError, match="all lie on one point"):
        similarity(np.full((5, 2), 30.0), TEMPLATE)


def _dotted(points: NDArray[np.float64], side: int, radius: int) -> NDArray[np.uint8]:
    picture = np.zeros((side, side, 3), np.uint8)
    for number, point in enumerate(points):
        colour = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)][number]
        centre = tuple(np.rint(point * 16).astype(int).tolist())
        cv2.circle(picture, centre, radius * 16, colour, -1, cv2.LINE_AA, 4)
    return picture


@pytest.mark.parametrize(("scale", "side"), [(1.0, 160), (0.6, 120), (4.3, 700)])
def test_an_aligned_face_has_its_landmarks_where_arcface_has_them(scale: float, side: int) -> None:
    points = _moved(0.35, scale, (0, 0))
    points += side / 2 - points.mean(axis=0)

    face = align(_dotted(points, side, max(2, round(4 * scale))), points)

    assert face.shape == (SIDE, SIDE, 3)
    assert face.dtype == np.uint8
    expected = _dotted(TEMPLATE, SIDE, 4)
    for colour in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)):
        middles = [
            np.argwhere(((picture > 127) == np.array(colour, bool)).all(axis=2)).mean(axis=0)
            for picture in (face, expected)
        ]
        np.testing.assert_allclose(*middles, atol=0.7)


def test_a_large_face_is_averaged_before_it_is_warped() -> None:
    checks = np.indices((1120, 1120)).sum(0) % 2 * 255
    picture = np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8)
    face = align(picture, TEMPLATE * 10)
    assert face[5:-5, 5:-5].std() < 2
    assert abs(face[5:-5, 5:-5].mean() - 127.5) < 2


def test_deep_pixels_stay_deep() -> None:
    picture = np.full((112, 112, 3), 0.25, np.float32)
    face = align(picture, TEMPLATE)
    assert face.dtype == np.float32
    np.testing.assert_allclose(face, 0.25, atol=1e-6)


def test_a_row_with_landmarks_is_aligned_and_one_without_is_the_crop(tmp_path: Path) -> None:
    points = _moved(0.2, 1.2, (30, 30))
    picture = _dotted(points, 200, 4)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    cells = dict(zip(COLUMNS, points.ravel().tolist(), strict=True))
    row = Row(tmp_path / "a.png", columns=cells)

    np.testing.assert_array_equal(read_face(row, Settings()), align(picture, points))
    np.testing.assert_array_equal(read_face(Row(row.path), Settings()), picture)
    np.testing.assert_array_equal(read_face(row, Settings(align=False)), picture)


def test_a_row_that_lacks_a_landmark_has_none() -> None:
    cells = dict.fromkeys(COLUMNS, 1.0)
    found = points_of(cells)
    assert found is not None
    assert found.tolist() == [[1, 1]] * 5
    assert points_of({**cells, "nose_x": float("nan")}) is None
    assert points_of(dict.fromkeys(COLUMNS[1:], 1.0)) is None


def test_landmarks_are_read_by_picture(tmp_path: Path) -> None:
    path = tmp_path / "landmarks.csv"
    path.write_text(f"image, {','.join(COLUMNS)}\nann\\1.jpg,{'1.5,' * 9}2\nbob/1.jpg{',' * 10}\n")
    table = read_landmarks(path)
    assert table.loc["ann/1.jpg"].tolist() == [1.5] * 9 + [2]
    assert table.loc["bob/1.jpg"].isna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,lefteye_x\n", "lacks column"),
        (f"image,{','.join(COLUMNS)}\na.jpg,{'1,' * 9}high\n", "rightmouth_y is 'high'"),
        (f"image,{','.join(COLUMNS)}\n" + f"a.jpg,{'1,' * 9}1\n" * 2, "names 'a.jpg' twice"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "landmarks.csv").write_text(text)
    with pytest.raises(ManifestError, match=message):
        read_landmarks(tmp_path / "landmarks.csv")


def test_numbers_may_be_numbers_already() -> None:
    table = pd.DataFrame({name: [1.5, None] for name in COLUMNS})
    numbers = as_numbers(table, "here")
    assert numbers["nose_x"].tolist()[0] == 1.5
    assert numbers.iloc[1].isna().all()
