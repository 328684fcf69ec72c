from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.detect import read_layout

Draw = Callable[..., Path]


def thing(name: str, left: int, top: int, right: int, bottom: int, more: str = "") -> str:
    edges = zip(("xmin", "ymin", "xmax", "ymax"), (left, top, right, bottom), strict=True)
    bounds = "".join(f"<{edge}>{value}</{edge}>" for edge, value in edges)
    return f"<object>\n<name>{name}</name>{more}\n<bndbox>{bounds}</bndbox></object>\n"


def annotate(path: Path, *things: str, filename: str = "") -> None:
    """Write an annotation as in VOC2007's development kit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = f"<filename>{filename}</filename>" if filename else ""
    path.write_text(f"<annotation>\n{file}{''.join(things)}</annotation>")


CAT, DOG = thing("cat", 1, 1, 40, 30), thing("dog", 11, 21, 60, 50)


def test_each_object_is_a_row_of_its_frame(draw: Draw) -> None:
    root = draw("JPEGImages/a.jpg")
    more = "<difficult>1</difficult><truncated>0</truncated>"
    annotate(root / "Annotations/a.xml", CAT, thing("dog", 11, 21, 60, 50, more))
    rows = read_layout(root).rows
    assert rows["image"].tolist() == ["JPEGImages/a.jpg"] * 2
    assert rows["group"].tolist() == ["JPEGImages/a.jpg"] * 2
    assert rows["label"].tolist() == ["cat", "dog"]
    # Pixels are counted from 1, and the last is inside: 40 x 30 and 50 x 30 px.
    assert rows["box"].tolist() == [Box(0, 0, 40, 30), Box(10, 20, 60, 50)]
    assert rows["difficult"].tolist() == ["", "1"]
    assert rows["truncated"].tolist() == ["", "0"]


@pytest.mark.parametrize(
    ("frame", "annotation"),
    [
        ("VOCdevkit/VOC2007/JPEGImages/a.jpg", "VOCdevkit/VOC2007/Annotations/a.xml"),
        ("images/a.png", "annotations/a.xml"),
        ("a.jpg", "a.xml"),
        ("train/a.jpg", "train/a.xml"),
        ("train/images/a.jpg", "train/annotations/a.xml"),
        ("images/one/a.jpg", "annotations/one/a.xml"),
        ("a.jpg", "annotations/a.xml"),
    ],
)
def test_folders_come_in_several_shapes(draw: Draw, frame: str, annotation: str) -> None:
    root = draw(frame)
    annotate(root / annotation, CAT, DOG, filename="renamed since.jpg")
    manifest = read_layout(root)
    assert manifest.rows["image"].tolist() == [frame] * 2
    assert manifest.rows["split"].tolist() == ["train" if "train" in frame else ""] * 2


def test_a_frame_is_found_by_the_name_in_the_file_as_well(draw: Draw) -> None:
    root = draw("images/street.jpg")
    annotate(root / "annotations/1.xml", CAT, DOG, filename=r"C:\pictures\street.jpg")
    assert set(read_layout(root).rows["image"]) == {"images/street.jpg"}


def test_splits_are_those_of_image_sets(draw: Draw) -> None:
    root = draw(*(f"VOC2012/JPEGImages/{name}.jpg" for name in "abc"))
    for name, objects in (("a", CAT), ("b", DOG), ("c", DOG)):
        annotate(root / f"VOC2012/Annotations/{name}.xml", objects)
    sets = root / "VOC2012/ImageSets/Main"
    sets.mkdir(parents=True)
    (sets / "train.txt").write_text("a\nd\n")
    (sets / "val.txt").write_text("b\n")
    (sets / "trainval.txt").write_text("a\nb\n")
    (sets / "cat_train.txt").write_text("a 1\nb -1\n")
    manifest = read_layout(root)
    assert manifest.rows["split"].tolist() == ["train", "val", ""]
    assert "1 name(s) in ImageSets/Main have no annotation" in manifest.notes[0]

    (sets / "val.txt").write_text("b\na\n")
    with pytest.raises(ManifestError, match=r"val\.txt', line 2: 'a' is in 'train' as well"):
        read_layout(root)


def test_every_mistake_is_named_with_its_file_and_line(draw: Draw) -> None:
    root = draw("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    annotate(root / "a.xml", thing("cat", 40, 1, 20, 30))
    annotate(root / "b.xml", thing("", 1, 1, 20, 30))
    annotate(root / "c.xml", CAT, "<object><name>dog</name></object>")
    annotate(root / "d.xml", thing("cat", 1, 1, 20, 30).replace("30", "high"))
    annotate(root / "e.xml", CAT)
    with pytest.raises(ManifestError) as caught:
        read_layout(root)
    said = str(caught.value).splitlines()
    assert said[0] == f"Pascal VOC in {str(root)!r}"
    assert "'a.xml', line 4: the box 40.0,1.0,20.0,30.0 has its left edge right" in said[1]
    assert "'b.xml', line 3: an object without a name" in said[2]
    assert "'c.xml', line 5: <object> has 0 <bndbox>, not one" in said[3]
    assert "'d.xml', line 4: the box ['1', '1', '20', 'high'] is no four numbers" in said[4]
    assert "'e.xml', line 1: no picture 'e' in ['.']" in said[5]


def test_other_xml_is_left_aside(draw: Draw) -> None:
    root = draw("images/a.jpg")
    annotate(root / "annotations/a.xml", CAT, DOG)
    (root / "build.xml").write_text("<project/>")
    assert read_layout(root).notes == ("left aside 1 other XML file(s), first 'build.xml'",)


def test_frames_without_objects_and_without_annotation_are_said(draw: Draw) -> None:
    root = draw("images/a.jpg", "images/b.jpg", "images/c.jpg")
    annotate(root / "annotations/a.xml", CAT, DOG)
    annotate(root / "annotations/b.xml")
    assert read_layout(root).notes == (
        "no object in 1 of 2 annotated frames",
        "left aside 1 picture(s) without annotation, first 'images/c.jpg'",
    )
