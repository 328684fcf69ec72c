import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transfer.errors import DataNotFoundError, ManifestError
from transfer.plugin.task import read_row
from transfer.progress import Silent
from transfer.samples.inspection import inspect
from transfer.samples.layouts.detect import read_layout
from transfer.samples.target import Labelling, TargetKind
from transfer.settings import TaskSettings

PICTURE = {"bytes": b"picture", "path": "a.png"}
MULTI = Labelling(TargetKind.MULTI_LABEL)


def classes(*names: str) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"}


def write(path: Path, *, features: dict[str, Any] | None = None, **columns: Any) -> Path:
    """Write a table as the datasets library does: features as JSON beside the schema."""
    rows = len(next(iter(columns.values())))
    table = pa.table({"image": [PICTURE] * rows, **columns})
    if features is not None:
        about = {"info": {"features": {"image": {"_type": "Image"}, **features}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
    return path


def test_numbers_get_the_names_of_the_schema(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", label=[1, 0, 1], features={"label": classes("cat", "dog")})
    rows = read_layout(tmp_path).rows
    assert rows["label"].tolist() == ["dog", "cat", "dog"]
    assert rows["record"].tolist() == [0, 1, 2]
    assert set(rows["image"]) == {"train.parquet"}


def test_text_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", label=["cat", " dog"])
    assert read_layout(path).classes == ("cat", "dog")


@pytest.mark.parametrize("folder", ["", "data/"])
def test_splits_are_in_the_names_of_files(tmp_path: Path, folder: str) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"):
        write(tmp_path / f"{folder}{name}.parquet", label=["cat", "dog"])
    rows = read_layout(tmp_path).rows
    assert rows["split"].tolist() == ["train"] * 4 + ["val"] * 2
    assert rows["record"].tolist() == [0, 1] * 3


def test_splits_may_be_in_folders_or_a_column(tmp_path: Path) -> None:
    write(tmp_path / "one/default/test/0000.parquet", label=["cat", "dog"])
    assert set(read_layout(tmp_path / "one").rows["split"]) == {"test"}
    write(
        tmp_path / "two/a.parquet",
        label=["cat", "dog"],
        split=["Valid", None],
        group=["x", 3 * "y"],
    )
    rows = read_layout(tmp_path / "two").rows
    assert rows["split"].tolist() == ["val", ""]
    assert rows["group"].tolist() == ["x", "yyy"]


def test_a_missing_file_of_several_is_said(tmp_path: Path) -> None:
    write(tmp_path / "train-00001-of-00003.parquet", label=["cat", "dog"])
    with pytest.raises(DataNotFoundError, match=r"2 of 3 files of 'train' .*'train-00000-of-00003"):
        read_layout(tmp_path)


def test_rows_without_a_label_are_counted(tmp_path: Path) -> None:
    features = {"label": classes("cat", "dog")}
    write(tmp_path / "a.parquet", label=[1, -1, 0, None], features=features)
    manifest = read_layout(tmp_path)
    assert manifest.rows["record"].tolist() == [0, 2]
    assert manifest.notes == ("left out 2 row(s) of 'a.parquet' that have no label",)


def test_an_unknown_number_is_named_with_its_row(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", label=[1, 2], features={"label": classes("cat", "dog")})
    with pytest.raises(
        ManifestError, match=r"a\.parquet', row 2: label 2 is none of the 2 classes"
    ):
        read_layout(tmp_path)


def test_lists_are_several_labels(tmp_path: Path) -> None:
    features = {"label": {"feature": classes("wet", "cold"), "_type": "List"}}
    write(tmp_path / "a.parquet", label=[[1, 0], []], features=features)
    assert read_layout(tmp_path, MULTI).rows["label"].tolist() == ["cold|wet", ""]
    with pytest.raises(ManifestError, match="row 1: a list of labels; task.target=multi_label"):
        read_layout(tmp_path)


def test_the_one_column_of_classes_is_the_label(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", breed=[0, 1], features={"breed": classes("tabby", "pug")})
    assert read_layout(tmp_path).classes == ("pug", "tabby")
    names = {"fine": classes("tabby", "pug"), "coarse": classes("cat", "dog")}
    write(tmp_path / "a.parquet", fine=[0, 1], coarse=[0, 1], features=names)
    with pytest.raises(ManifestError, match=r"no 'label', and \['fine', 'coarse'\] name classes"):
        read_layout(tmp_path)


def test_other_columns_are_free_or_said_to_be_left_aside(tmp_path: Path) -> None:
    write(
        tmp_path / "a.parquet", label=["cat", "dog"], site=["x", "y"], boxes=[[1], [2]], key=[1, 2]
    )
    manifest = read_layout(tmp_path)
    assert manifest.row(1).columns == {"site": "y"}
    assert manifest.notes == ("left aside column(s) ['boxes', 'key'] of the Parquet files",)


def test_a_table_of_paths_is_still_a_table(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jpg").touch()
    pq.write_table(
        pa.table({"image": ["a.jpg", "b.jpg"], "label": ["cat", "dog"]}), tmp_path / "t.parquet"
    )
    assert "record" not in read_layout(tmp_path).rows


def test_the_data_are_the_same_as_in_class_folders(tmp_path: Path) -> None:
    content = []
    for number, label in enumerate(("cat", "dog", "dog")):
        path = tmp_path / f"folders/{label}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
        content.append(path.read_bytes())
    table = pa.table({"image": content, "label": ["cat", "dog", "dog"]})
    pq.write_table(table, tmp_path / "all.parquet", row_group_size=2)
    folders, parquet = (
        inspect(
            read_layout(tmp_path / name),
            partial(read_row, settings=TaskSettings()),
            reader="plain",
            progress=Silent(),
            cache=tmp_path / "cache",
        ).manifest
        for name in ("folders", "all.parquet")
    )
    assert folders.digest() == parquet.digest()
