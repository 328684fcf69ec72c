import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from transfer.errors import ManifestError
from transfer.samples.manifest import Manifest
from transfer.samples.target import TargetKind

ROOT = Path("data")


def table(**columns: list[str]) -> pd.DataFrame:
    default = {
        "image": ["a.png", "b.png", "c.png", "d.png"],
        "label": ["cat", "dog", "cat", "dog"],
        "group": ["p1", "p2", "p1", ""],
        "split": ["train", "val", "train", "test"],
        "key": ["k3", "k1", "k2", "k0"],
    }
    return pd.DataFrame({**default, **columns})


def manifest(**columns: list[str]) -> Manifest:
    return Manifest(ROOT, table(**columns), ("cat", "dog"))


def test_groups_and_splits_may_be_left_out() -> None:
    rows = Manifest(ROOT, table()[["image", "label"]], ("cat", "dog")).rows
    assert rows["group"].tolist() == rows["split"].tolist() == [""] * 4


def test_missing_groups_are_empty_text() -> None:
    assert manifest(group=["p1", None, None, "p2"]).rows["group"].tolist() == ["p1", "", "", "p2"]


@pytest.mark.parametrize("column", ["image", "label"])
def test_a_missing_column_is_refused(column: str) -> None:
    with pytest.raises(ManifestError, match=rf"lacks column\(s\) \['{column}'\]"):
        Manifest(ROOT, table().drop(columns=column), ("cat", "dog"))


def test_no_rows_are_refused() -> None:
    with pytest.raises(ManifestError, match="no rows"):
        Manifest(ROOT, table().head(0), ("cat", "dog"))


def test_an_unknown_label_is_refused_with_its_picture() -> None:
    with pytest.raises(ManifestError, match=r"1 row.*'cow' at 'b.png'"):
        manifest(label=["cat", "cow", "cat", "dog"])


def test_an_unknown_split_is_refused_with_its_picture() -> None:
    with pytest.raises(ManifestError, match=r"2 row.*'dev' at 'b.png'"):
        manifest(split=["train", "dev", "train", "dev"])


def test_classes_are_the_sorted_labels() -> None:
    built = Manifest.of_labels(ROOT, table(), ("a note",))
    assert built.classes == ("cat", "dog")
    assert built.notes == ("a note",)
    assert built.keep(np.array([True, False, False, False])).classes == ("cat", "dog")


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ManifestError, match=r"all 4 picture.*class 'cat'.*at least two classes"):
        Manifest.of_labels(ROOT, table(label=["cat"] * 4))


def test_a_row_carries_its_free_columns() -> None:
    row = manifest(camera=["left", "right", "left", "right"]).row(1)
    assert row.path == ROOT / "b.png"
    assert (row.label, row.group, row.columns) == ("dog", "p2", {"camera": "right"})


def test_all_rows_are_the_rows_in_order() -> None:
    built = manifest()
    rows = built.all_rows()
    assert list(rows) == [built.row(number) for number in range(4)]
    assert rows[1:3] == [built.row(1), built.row(2)]
    assert rows[-1] == built.row(3)
    with pytest.raises(IndexError):
        rows[4]


def test_equal_texts_of_rows_are_one_text() -> None:
    names = [f"name {number % 2}" for number in range(6)]
    table = pd.DataFrame({"image": list("abcdef"), "label": names, "group": names, "camera": names})
    rows = Manifest(Path("/data"), table, ("name 0", "name 1")).all_rows()
    assert rows[0].label is rows[2].label
    assert rows[0].group is rows[2].group
    assert rows[1].columns["camera"] is rows[5].columns["camera"]


def test_a_manifest_survives_the_way_to_another_process() -> None:
    built = manifest()
    built.row(0)
    assert pickle.loads(pickle.dumps(built)).row(3) == built.row(3)  # noqa: S301  # our own bytes


def test_numbers_are_those_of_a_split() -> None:
    assert manifest().numbers("train").tolist() == [0, 2]
    assert manifest().numbers("calibration").tolist() == []


def test_rows_of_a_group_share_a_number_and_the_others_stand_alone() -> None:
    numbers = manifest(group=["p1", "", "p1", ""]).group_numbers()
    assert numbers.dtype == np.int64
    assert numbers[0] == numbers[2]
    assert len(set(numbers.tolist())) == 3


def test_of_people_the_network_learns_only_those_in_train() -> None:
    rows = table(label=["kim", "eve", "ann", "kim"], split=["train", "val", "train", "test"])
    people = Manifest(ROOT, rows, ("ann", "eve", "kim"), TargetKind.IDENTITY)
    assert people.learned == ("ann", "kim")
    assert people.learned_targets.tolist() == [1, -1, 0, 1]
    assert people.targets.tolist() == [2, 1, 0, 2]


def test_of_other_kinds_it_learns_every_class() -> None:
    rows = manifest(split=["train", "val", "train", "test"], label=["cat", "dog", "cat", "cat"])
    assert rows.learned == ("cat", "dog")
    assert rows.learned_targets.tolist() == [0, 1, 0, 0]


def test_the_digest_needs_keys() -> None:
    with pytest.raises(ManifestError, match="call inspect"):
        Manifest(ROOT, table().drop(columns="key"), ("cat", "dog")).digest()


def test_the_digest_does_not_see_paths_order_or_group_names() -> None:
    digest = manifest().digest()
    assert len(digest) == 16
    assert manifest(image=["z", "y", "x", "w"]).digest() == digest
    assert manifest(group=["#9", "#1", "#9", ""]).digest() == digest
    shuffled = Manifest(ROOT, table().sample(frac=1, random_state=3), ("cat", "dog"))
    assert shuffled.digest() == digest


@pytest.mark.parametrize(
    "change",
    [
        {"key": ["k3", "k1", "k2", "k9"]},
        {"label": ["cat", "cat", "cat", "dog"]},
        {"group": ["p1", "p1", "p1", ""]},
        {"split": ["train", "val", "val", "test"]},
    ],
)
def test_the_digest_sees_bytes_labels_groups_and_splits(change: dict[str, list[str]]) -> None:
    assert manifest(**change).digest() != manifest().digest()


def test_the_digest_of_a_split_sees_only_that_split() -> None:
    other = manifest(key=["k3", "k1", "k2", "k9"])
    assert other.digest("train") == manifest().digest("train")
    assert other.digest("test") != manifest().digest("test")
