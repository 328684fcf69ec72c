from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from transfer.errors import ManifestError
from transfer.samples.layouts.detect import read_layout
from transfer.samples.layouts.table import read_table
from transfer.samples.manifest import Manifest
from transfer.samples.target import Labelling, TargetKind

SEVERAL = Labelling(TargetKind.MULTI_LABEL)
Read = Callable[..., Manifest]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a table beside the pictures a.jpg .. c.jpg, and read it."""
    for name in "abc":
        (tmp_path / f"{name}.jpg").touch()

    def write_and_read(text: str, labelling: Labelling = SEVERAL) -> Manifest:
        (tmp_path / "table.csv").write_text(text)
        return read_table(tmp_path / "table.csv", labelling)

    return write_and_read


def test_labels_are_separated_by_a_line_and_may_be_none(read: Read) -> None:
    manifest = read("image,label\na.jpg,wet|cold\nb.jpg,\nc.jpg, cold \n")
    assert manifest.classes == ("cold", "wet")
    assert manifest.rows["label"].tolist() == ["cold|wet", "", "cold"]


def test_columns_of_0_and_1_are_labels_where_there_is_no_label_column(read: Read) -> None:
    manifest = read("image,group,wet,cold\na.jpg,p,1,1\nb.jpg,p,0,0\nc.jpg,q,0,true\n")
    assert manifest.rows["label"].tolist() == ["cold|wet", "", "cold"]
    assert manifest.rows["group"].tolist() == ["p", "p", "q"]
    assert "wet" not in manifest.rows


def test_named_columns_are_labels_and_the_others_stay_free(read: Read) -> None:
    chosen = Labelling(TargetKind.MULTI_LABEL, columns=("wet",))
    manifest = read("image,wet,night,age\na.jpg,1,1,70\nb.jpg,0,1,71\n", chosen)
    assert manifest.rows["label"].tolist() == ["wet", ""]
    assert manifest.rows["night"].tolist() == ["1", "1"]


def test_a_parquet_table_may_hold_truth_values_and_numbers(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jpg").touch()
    table = {"image": ["a.jpg", "b.jpg"], "wet": [True, False], "dry": [0, 1], "hot": [1.0, 1.0]}
    pd.DataFrame(table).to_parquet(tmp_path / "t.parquet")
    assert read_layout(tmp_path, SEVERAL).rows["label"].tolist() == ["hot|wet", "dry|hot"]


@pytest.mark.parametrize(
    ("text", "columns", "complaint"),
    [
        ("image,wet,age\na.jpg,1,70\n", (), r"columns \['wet'\] hold 0 and 1, \['age'\] do not"),
        ("image,wet\na.jpg,1\nb.jpg,2\n", ("wet",), r"'b.jpg'.*'wet' holds '2'; write 0 or 1"),
        ("image,wet\na.jpg,1\n", ("wet", "dry"), r"lacks the label column\(s\) \['dry'\]"),
        ("image,label,wet\na.jpg,x,1\n", ("wet",), "only one of both can count"),
        ("image,a|b\na.jpg,1\n", (), r"rename column 'a\|b'"),
        ("image,label\na.jpg,x\nb.jpg,x||y\n", (), r"line 3: 'x\|\|y' has an empty label"),
        ("imgae,wet\na.jpg,1\n", (), "did you mean 'image'"),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused_with_its_place(
    read: Read, text: str, columns: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ManifestError, match=complaint):
        read(text, Labelling(TargetKind.MULTI_LABEL, columns=columns))


def test_an_empty_grade_is_refused_where_an_empty_set_of_labels_is_not(read: Read) -> None:
    text = "image,label\na.jpg,1\nb.jpg,\nc.jpg,2\n"
    assert read(text).classes == ("1", "2")
    with pytest.raises(ManifestError, match="line 3: empty label"):
        read(text, Labelling(TargetKind.ORDINAL))


def test_class_folders_give_grades_and_persons_but_not_several_labels(tmp_path: Path) -> None:
    for name in ("10", "9", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.jpg").touch()
    assert read_layout(tmp_path, Labelling(TargetKind.ORDINAL)).classes == ("2", "9", "10")
    assert read_layout(tmp_path, Labelling(TargetKind.IDENTITY)).classes == ("10", "2", "9")
    with pytest.raises(ManifestError, match="write a table with columns image and label"):
        read_layout(tmp_path, SEVERAL)
