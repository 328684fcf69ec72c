import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.face_recognition.augmentation import augment, label_holds
from tasks.face_recognition.drawing import Person, Session, draw_face
from tasks.face_recognition.settings import Settings
from transfer import Augmentation, Row

STILL = {"light": 0.0, "blur": 0.0, "rotate": 0.0, "shift": 0.0}


def _face() -> NDArray[np.uint8]:
    rng = np.random.default_rng(5)
    return draw_face(Person.drawn(rng), Session.drawn(rng), rng)[0]


def _draw(view: Augmentation, pixels: NDArray[np.generic], seed: int) -> NDArray[np.uint8]:
    view.set_random_state(np.random.default_rng(seed), random.Random(seed))  # noqa: S311  # no secret
    drawn: NDArray[np.uint8] = view(image=pixels, row="row")["image"]  # type: ignore[arg-type]
    return drawn


def test_a_face_is_mirrored_left_to_right_or_not_at_all() -> None:
    face, view = _face(), augment(112, Settings(**STILL))
    seen = [_draw(view, face, seed).tobytes() for seed in range(300)]
    assert set(seen) == {face.tobytes(), face[:, ::-1].tobytes()}
    assert 110 < seen.count(face.tobytes()) < 190  # 150 expected, standard deviation 9


def test_a_face_is_never_upside_down() -> None:
    top = np.zeros((112, 112, 3), np.uint8)
    top[:40] = 200
    view = augment(112, Settings())
    for seed in range(100):
        drawn = _draw(view, top, seed).astype(float)
        assert drawn[:20].mean() > drawn[-20:].mean() + 50


def test_colours_stay_what_they_are() -> None:
    hue = np.array([200, 100, 50], np.float32) / 255
    plain = np.broadcast_to(hue, (112, 112, 3)).copy()
    view = augment(112, Settings(light=0.3))
    for seed in range(50):
        drawn = _draw(view, plain, seed).reshape(-1, 3).mean(axis=0)
        assert (np.diff(drawn) < 0).all()  # red over green over blue


def test_a_face_is_turned_and_shifted_a_little() -> None:
    dot = np.zeros((112, 112, 3), np.uint8)
    dot[20:23, 55:58] = 255
    still = {**STILL, "flip": False}

    def places(**settings: float) -> NDArray[np.float64]:
        view = augment(112, Settings(**{**still, **settings}))
        drawn = [_draw(view, dot, seed)[..., 0].astype(float) for seed in range(60)]
        rows, columns = np.indices((112, 112))
        return np.array([[(d * rows).sum(), (d * columns).sum()] / d.sum() for d in drawn])

    turned = places(rotate=10)
    # 35 px above the centre: ten degrees move it by 35 sin 10 = 6.1 px to a side.
    assert np.abs(turned[:, 1] - 56).max() < 6.6
    assert np.abs(turned[:, 1] - 56).max() > 4
    shifted = places(shift=0.05)
    assert np.abs(shifted - [21, 56]).max() < 0.05 * 112 + 35 * 0.05 + 0.6
    assert shifted.std(axis=0).min() > 1


def test_blur_takes_away_detail_from_its_share_of_the_views() -> None:
    face = _face()
    view = augment(112, Settings(**{**STILL, "blur": 0.5, "flip": False}))
    sharp = [np.array_equal(_draw(view, face, seed), face) for seed in range(200)]
    assert 70 < sum(sharp) < 130


def test_a_face_on_its_head_is_nobody_s() -> None:
    row, face, view = Row(Path("face.jpg")), _face(), augment(112, Settings())
    assert not label_holds(row, face, face[::-1])
    assert all(label_holds(row, face, _draw(view, face, seed)) for seed in range(20))
