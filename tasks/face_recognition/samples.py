"""Write drawn faces: people in folders, sessions in folders inside, and five landmarks each."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tasks.face_recognition.drawing import Person, Session, draw_face
from tasks.face_recognition.landmarks import COLUMNS, FILE
from transfer import new_folder

_EACH, _A_SESSION = 20, 4  # pictures of a person, of which so many are of one session


def write_samples(folder: Path, count: int, seed: int) -> None:
    """Write `count` faces as `folder/person_01/session_1/person_01_0001.jpg`, and `landmarks.csv`.

    There is a person for every twenty pictures, two at least. The same seed gives the same bytes.
    All or nothing is written.

    Raises:
        OutputError: the folder holds something already, or cannot be written.
    """
    with new_folder(folder) as unfinished:
        _write_all(unfinished, count, seed)


def _write_all(folder: Path, count: int, seed: int) -> None:
    people, lines = max(2, round(count / _EACH)), []
    for position in range(count):
        number, who = divmod(position, people)
        day = number // _A_SESSION
        picture, points = draw_face(
            Person.drawn(np.random.default_rng((seed, who))),
            Session.drawn(np.random.default_rng((seed, who, day))),
            np.random.default_rng((seed, who, day, number)),
        )
        name = f"person_{who + 1:02d}"
        path = folder / name / f"session_{day + 1}" / f"{name}_{number + 1:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        _, encoded = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, 92))
        path.write_bytes(encoded.tobytes())
        lines.append([path.relative_to(folder).as_posix(), *points.round(2).ravel().tolist()])
    table = pd.DataFrame(lines, columns=["image", *COLUMNS])
    table.to_csv(folder / FILE, index=False, lineterminator="\n")
