from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.detect import read_layout

Draw = Callable[..., Path]

ABOUT = "train: images/train\nval: images/val\ntest:  # none\nnames:\n  0: person\n  1: car\n"


def label(root: Path, name: str, *lines: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


@pytest.fixture
def root(draw: Draw) -> Path:
    """Frames of 100 x 50 px in train and val; one shows nothing, one has no label file."""
    root = draw("images/train/a.jpg", "images/train/b.jpg", "images/val/c.png", "images/val/d.jpg")
    label(root, "labels/train/a.txt", "0 0.5 0.5 0.2 0.4", "", "1 0.25 0.5 0.5 1")
    label(root, "labels/train/b.txt")
    label(root, "labels/val/c.txt", "1 0.5 0.5 0.2 0.333333")
    (root / "data.yaml").write_text(ABOUT)
    return root


def test_each_object_is_a_row_of_its_frame(root: Path) -> None:
    for data in (root, root / "data.yaml"):
        manifest = read_layout(data)
        rows = manifest.rows
        assert rows["label"].tolist() == ["person", "car", "car"]
        assert rows["image"].tolist() == [*["images/train/a.jpg"] * 2, "images/val/c.png"]
        assert rows["split"].tolist() == ["train", "train", "val"]
        assert rows["box"].tolist() == [
            Box(40, 15, 60, 35), Box(0, 0, 50, 50), Box(40, 16.667, 60, 33.333),
        ]  # fmt: skip
        assert manifest.notes == ("no object in 2 of 4 annotated frames",)


@pytest.mark.parametrize(
    ("about", "folder"),
    [
        ("train: ../train/images\nnames: [person, car]", "train/{}/a.jpg"),
        ("path: ../datasets/none\ntrain: images\nnames: [person, car]", "{}/a.jpg"),
        ("path: sub\ntrain: [images/train]\nnames: ['person', 'car']", "sub/{}/train/a.jpg"),
        ("path: ./\ntrain: train.txt\nnames: {0: person, 1: car}", "{}/train/a.jpg"),
        ("train: .\nnames: [person, car]", "a.jpg"),
    ],
)
def test_data_yaml_comes_in_several_shapes(draw: Draw, about: str, folder: str) -> None:
    root = draw(folder.format("images"))
    (root / "data.yaml").write_text(about)
    (root / "train.txt").write_text("images/train/a.jpg\n")
    labels = folder.format("labels").replace(".jpg", ".txt")
    label(root, labels, "0 0.5 0.5 0.2 0.4", "1 0.5 0.5 1 1")
    rows = read_layout(root).rows
    assert rows["label"].tolist() == ["person", "car"]
    assert set(rows["split"]) == {"train"}


def test_pictures_of_two_splits_are_said(root: Path) -> None:
    (root / "data.yaml").write_text(ABOUT.replace("images/val", "images/train"))
    manifest = read_layout(root)
    assert set(manifest.rows["split"]) == {"train"}
    assert manifest.notes[0] == "2 picture(s) are named in two splits; the first holds"


def test_every_mistake_is_named_with_file_and_line(root: Path) -> None:
    label(root, "labels/train/a.txt", "0 0.5 0.5 0.2", "7 0.5 0.5 1 1", "0 40 15 60 35")
    label(root, "labels/train/b.txt", "0 0.1 0.1 0.2 x", "0.0 0.5 0.5 1 1")
    label(root, "labels/val/e.txt", "0 0.5 0.5 1 1")
    with pytest.raises(ManifestError) as caught:
        read_layout(root)
    said = str(caught.value)
    assert "'labels/train/a.txt', line 1: 4 fields, not 5" in said
    assert "line 2: class '7' is none of the 2 that are named" in said
    assert "line 3: ['40', '15', '60', '35'] are no shares of the picture's sides" in said
    assert "'labels/train/b.txt', line 1: ['0.1', '0.1', '0.2', 'x'] are no four numbers" in said
    assert "line 2: class '0.0' is none" in said
    assert "and 1 more" in said

    for name in ("a", "b"):
        label(root, f"labels/train/{name}.txt")
    with pytest.raises(ManifestError, match="'labels/val/e.txt': no picture for it"):
        read_layout(root)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("names: [a, b\ntrain: images", "line 2: "),
        ("names: 3\ntrain: images", "names is neither a list of names nor a mapping"),
        ("names: [a, b]\ntrain: pictures", "no picture in train: 'pictures'"),
        ("names: [a, b]", r"names no folder of pictures; it has \['names'\]"),
        ("names: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    ],
)
def test_a_data_yaml_that_says_nothing_useful_is_refused(root: Path, about: str, said: str) -> None:
    (root / "data.yaml").write_text(about)
    with pytest.raises(ManifestError, match=said):
        read_layout(root / "data.yaml")


def test_other_yaml_is_no_layout(draw: Draw) -> None:
    root = draw("cat/a.jpg", "dog/a.jpg")
    (root / "config.yaml").write_text("names: [cat, dog]\nlr: 1e-3\n")
    assert len(read_layout(root)) == 2


def test_objects_in_a_picture_that_cannot_be_opened_are_counted(root: Path) -> None:
    (root / "images/val/c.png").write_text("no picture")
    assert read_layout(root).notes[0].startswith("left out 1 object(s): '")
