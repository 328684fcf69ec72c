from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from transfer.errors import DataNotFoundError, ManifestError
from transfer.samples.layouts.table import read_table, table_columns
from transfer.samples.manifest import Manifest

Read = Callable[..., Manifest]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a table beside the pictures a.jpg .. e.jpg, and read it."""
    for name in "abcde":
        (tmp_path / f"{name}.jpg").touch()

    def write_and_read(text: str, name: str = "table.csv") -> Manifest:
        path = tmp_path / name
        path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
        return read_table(path)

    return write_and_read


def test_a_table_gives_images_labels_groups_and_splits(read: Read, tmp_path: Path) -> None:
    manifest = read("image,label,group,split\na.jpg,cat,p1,train\nb.jpg,dog,p2,test\n")
    assert manifest.root == tmp_path
    assert manifest.classes == ("cat", "dog")
    assert manifest.rows.to_dict("list") == {
        "image": ["a.jpg", "b.jpg"],
        "label": ["cat", "dog"],
        "group": ["p1", "p2"],
        "split": ["train", "test"],
    }


def test_groups_and_splits_may_be_left_out_or_empty(read: Read) -> None:
    rows = read("image,label,group\na.jpg,cat,\nb.jpg,dog,p2\n").rows
    assert rows["group"].tolist() == ["", "p2"]
    assert rows["split"].tolist() == ["", ""]


def test_numbers_stay_as_they_are_written(read: Read) -> None:
    rows = read("image,label,group\na.jpg,007,1e3\nb.jpg,7,0012\nc.jpg,7.0,NA\n").rows
    assert rows["label"].tolist() == ["007", "7", "7.0"]
    assert rows["group"].tolist() == ["1e3", "0012", "NA"]


@pytest.mark.parametrize("label", ["NA", "null", "None", "nan", "True"])
def test_words_that_look_like_nothing_are_classes(read: Read, label: str) -> None:
    assert read(f"image,label\na.jpg,{label}\nb.jpg,zebra\n").classes == (label, "zebra")


@pytest.mark.parametrize(("separator", "name"), [(",", "t.csv"), (";", "t.csv"), ("\t", "t.tsv")])
def test_the_separator_is_seen_in_the_header(read: Read, separator: str, name: str) -> None:
    text = "image,label\na.jpg,cat\nb.jpg,dog\n".replace(",", separator)
    assert read(text, name).classes == ("cat", "dog")


def test_a_byte_order_mark_spaces_and_blank_lines_do_not_count(read: Read) -> None:
    manifest = read(
        '\ufeffimage, label , split\r\na.jpg, cat , Train\r\n\r\nb.jpg, "dog, small"\r\n'
    )
    assert manifest.classes == ("cat", "dog, small")
    assert manifest.rows["split"].tolist() == ["train", ""]


@pytest.mark.parametrize("word", ["valid", "Validation", "VAL"])
def test_splits_go_by_their_usual_names(read: Read, word: str) -> None:
    rows = read(f"image,label,split\na.jpg,cat,{word}\nb.jpg,dog,testing\n").rows
    assert rows["split"].tolist() == ["val", "test"]


def test_other_columns_are_free(read: Read) -> None:
    manifest = read("image,label,camera\na.jpg,cat,left\nb.jpg,dog,right\n")
    assert manifest.row(1).columns == {"camera": "right"}


def test_images_lie_where_the_table_says(read: Read, tmp_path: Path) -> None:
    folder = tmp_path / "Ordner mit Bäumen"
    folder.mkdir()
    (folder / "f, g.jpg").touch()
    text = (
        'image,label\n"Ordner mit Bäumen\\f, g.jpg",cat\n'
        f"../{tmp_path.name}/a.jpg,dog\n{tmp_path}/b.jpg,dog\n"
    )
    assert all(row.path.exists() for row in read(text).all_rows())


def test_parquet_is_read_as_text_too(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / name).touch()
    table = pd.DataFrame(
        {
            "image": ["1.jpg", "2.jpg", "3.jpg"],
            "label": pd.Categorical([3, 7, 3]),
            "group": pd.array([1, None, 12], dtype="Int64"),
            "age": [0.5, 1.5, 2.5],
        }
    )
    table.to_parquet(tmp_path / "t.parquet")
    manifest = read_table(tmp_path / "t.parquet")
    assert manifest.classes == ("3", "7")
    assert manifest.rows["group"].tolist() == ["1", "", "12"]
    assert manifest.row(1).columns == {"age": 1.5}
    assert table_columns(tmp_path / "t.parquet") == ["image", "label", "group", "age"]


def test_empty_labels_and_images_are_refused_by_line(read: Read) -> None:
    with pytest.raises(ManifestError, match=r"line 4: empty image\s+line 3, 6: empty label"):
        read("image,label\na.jpg,cat\nb.jpg,\n,dog\n\nd.jpg,  \n")


def test_an_unknown_split_is_refused_by_line(read: Read) -> None:
    with pytest.raises(ManifestError, match=r"line 3: split 'dev' is none of \['train'"):
        read("image,label,split\na.jpg,cat,train\nb.jpg,dog,dev\n")


def test_missing_pictures_are_listed_together(read: Read) -> None:
    lines = "".join(f"no{number}.jpg,dog\n" for number in range(7))
    with pytest.raises(DataNotFoundError, match=r"7 of 8 pictures.*'no0.jpg', .*'no4.jpg'$"):
        read(f"image,label\na.jpg,cat\n{lines}")


def test_pictures_in_a_folder_beside_the_table_are_pointed_to(read: Read, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "photos").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "photos" / name).touch()
    with pytest.raises(
        DataNotFoundError, match=r"they lie in '.*photos': write 'photos/1.jpg', or"
    ):
        read("image,label\n1.jpg,cat\n2.jpg,dog\n")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,lable", r"no \['label'\]; did you mean 'label' by 'lable'\?"),
        ("Image,label", r"did you mean 'image' by 'Image'\?"),
        ("path,class", r"no \['image', 'label'\]; rename"),
        ("image,label,groups", r"did you mean 'group' by 'groups'\?"),
        ("image,label,Split", r"did you mean 'split' by 'Split'\?"),
        ("image,label,key", r"rename column\(s\) \['key'\]"),
    ],
)
def test_wrong_columns_are_refused(read: Read, header: str, message: str) -> None:
    cells = ",".join("x" for _ in header.split(","))
    with pytest.raises(ManifestError, match=message):
        read(f"{header}\n{cells}\n")


@pytest.mark.parametrize(
    "text",
    ["", "image,label\na.jpg,cat,1\nb.jpg,dog,2\n", "image,label\na.jpg,cat\nb.jpg,dog,2,3\n"],
)
def test_a_table_that_cannot_be_read_is_refused(read: Read, text: str) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read(text)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("image,label\na.jpg,Bär\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"cannot be read.*utf-8"):
        read_table(path)


def test_what_only_claims_to_be_parquet_is_refused(read: Read) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        read("image,label\na.jpg,cat\n", "t.parquet")


def test_a_header_alone_holds_no_rows(read: Read) -> None:
    with pytest.raises(ManifestError, match="no rows"):
        read("image,label\n")


def test_a_single_class_is_refused(read: Read) -> None:
    with pytest.raises(ManifestError, match="at least two classes"):
        read("image,label\na.jpg,cat\nb.jpg,cat\n")


def test_no_such_table_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="no table"):
        read_table(tmp_path / "t.csv")


def test_columns_of_what_is_no_table_are_none(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    assert table_columns(tmp_path / "t.parquet") == []
    assert table_columns(tmp_path / "gone.csv") == []
