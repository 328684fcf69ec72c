from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.face_recognition.given_pairs import pairs_among, read_pairs
from transfer.errors import ManifestError

ROWS = pd.DataFrame(
    {
        "image": ["ann/ann_0001.jpg", "ann/ann_0002.jpg", "bob/bob_0001.png", "bob/bob_0003.jpg"],
        "label": ["ann", "ann", "bob", "bob"],
    }
)
TEXT = "2\t1\nann\t1\t2\nann\t1\tbob\t3\nbob\t1\t3\nann\t2\tbob\t1\n"


def write(folder: Path, text: str) -> Path:
    (folder / "pairs.txt").write_text(text)
    return folder / "pairs.txt"


def test_each_row_knows_its_pairs_and_their_folds(tmp_path: Path) -> None:
    ids = read_pairs(write(tmp_path, TEXT), ROWS)
    assert ids == ["0:0 0:1", "0:0 1:3", "1:2 1:3", "0:1 1:2"]
    rows, folds = pairs_among(np.array(ids))
    found = sorted(zip(*rows.tolist(), folds.tolist(), strict=True))
    assert found == [(0, 1, 0), (0, 3, 0), (1, 2, 1), (2, 3, 1)]


def test_pairs_of_which_one_picture_is_elsewhere_do_not_count(tmp_path: Path) -> None:
    ids = np.array(read_pairs(write(tmp_path, TEXT), ROWS))
    rows, folds = pairs_among(ids[[0, 1, 2]])  # bob's third picture is in another split
    assert rows.T.tolist() == [[0, 1], [1, 2]]
    assert folds.tolist() == [0, 1]
    assert read_pairs(tmp_path / "pairs.txt", ROWS[:3]) == ["0:0", "0:0 1:3", "1:3"]


def test_without_pairs_there_are_none() -> None:
    rows, folds = pairs_among(np.array(["", ""]))
    assert rows.shape == (2, 0)
    assert folds.size == 0


def test_a_list_without_folds_is_one_fold(tmp_path: Path) -> None:
    text = "1\nann\t1\t2\nann\t1\tbob\t3\n"
    _, folds = pairs_among(np.array(read_pairs(write(tmp_path, text), ROWS)))
    assert folds.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "starts with ''"),
        ("ann 1 2\n", "starts with 'ann 1 2'"),
        ("2 1\nann 1 2\n", r"has 1 pairs; its first line says 2 folds of 1 .* 4 in all"),
        ("1 1\nann 1 two\nann 1 bob 3\n", r"line 2: 'ann 1 two'"),
        ("1 1\nann 1 2 3 4\nann 1 bob 3\n", r"line 2: 'ann 1 2 3 4'"),
        ("1 1\neve 1 2\nann 1 kim 3\n", "none of its pairs is there"),
    ],
)
def test_a_file_that_is_no_list_of_pairs_is_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        read_pairs(write(tmp_path, text), ROWS)
