import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.plugin.task import read_row
from transfer.samples.layouts.detect import read_layout
from transfer.settings import ObjectSettings

Draw = Callable[..., Path]


def describe(files: dict[int, str], *annotations: dict[str, Any]) -> dict[str, Any]:
    """Return a description of frames, with category ids that have gaps as COCO's own."""
    return {
        "info": {"year": 2017},
        "images": [{"id": key, "file_name": file} for key, file in files.items()],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "person"}, {"id": 90, "name": "toothbrush"}],
    }


def thing(key: int, image: int, category: int, *bbox: float, crowd: int = 0) -> dict[str, Any]:
    found = {"id": key, "image_id": image, "category_id": category, "bbox": list(bbox)}
    return {**found, "iscrowd": crowd}


def write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


PERSON, BRUSH = thing(1, 7, 1, 10, 5, 20.5, 30.25), thing(2, 7, 90, 0, 0, 9, 9)


def test_each_object_is_a_row_of_its_frame(draw: Draw) -> None:
    root = draw("images/a.jpg")
    write(root / "all.json", describe({7: "a.jpg"}, PERSON, BRUSH))
    rows = read_layout(root).rows
    assert rows["image"].tolist() == rows["group"].tolist() == ["images/a.jpg"] * 2
    assert rows["label"].tolist() == ["person", "toothbrush"]
    assert rows["box"].tolist() == [Box(10, 5, 30.5, 35.25), Box(0, 0, 9, 9)]


@pytest.mark.parametrize(
    ("frame", "file", "name"),
    [
        ("train2017/a.jpg", "annotations/instances_train2017.json", "a.jpg"),
        ("images/train2017/a.jpg", "annotations/instances_train2017.json", "a.jpg"),
        ("images/train2017/a.jpg", "train.json", "images\\train2017\\a.jpg"),
        ("train/a.jpg", "train/_annotations.coco.json", "a.jpg"),
        ("frames/train/a.jpg", "frames/annotations/train.json", "a.jpg"),
    ],
)
def test_frames_are_found_and_splits_named(draw: Draw, frame: str, file: str, name: str) -> None:
    root = draw(frame)
    path = write(root / file, describe({7: name}, PERSON, BRUSH))
    manifest = read_layout(root)
    assert set(manifest.rows["image"]) == {frame}
    assert set(manifest.rows["split"]) == {"train"}
    alone = read_layout(path)
    assert {alone.root / image for image in alone.rows["image"]} == {root / frame}


def test_groups_are_left_out_and_counted_unless_asked_for(draw: Draw) -> None:
    root = draw("a.jpg")
    crowd = thing(3, 7, 1, 0, 0, 50, 50, crowd=1)
    write(root / "all.json", describe({7: "a.jpg"}, PERSON, BRUSH, crowd))
    manifest = read_layout(root)
    assert len(manifest) == 2
    assert "left out 1 box(es) around whole groups (iscrowd)" in manifest.notes[0]
    everything = read_layout(root, objects=ObjectSettings(crowds=True))
    assert everything.rows["iscrowd"].tolist() == [0, 0, 1]
    assert everything.notes == ()


def test_of_cocos_own_files_only_instances_count(draw: Draw) -> None:
    root = draw("val2017/a.jpg")
    for kind in ("instances", "person_keypoints"):
        path = root / f"annotations/{kind}_val2017.json"
        write(path, describe({7: "a.jpg"}, PERSON, BRUSH))
    write(root / "annotations/captions_val2017.json", {"images": [], "annotations": []})
    manifest = read_layout(root)
    assert len(manifest) == 2
    assert "left aside 2 other JSON file(s), first" in manifest.notes[0]


def test_mistakes_are_named_with_index_and_id(draw: Draw) -> None:
    root = draw("a.jpg")
    odd = [
        thing(11, 7, 2, 0, 0, 9, 9), thing(12, 8, 1, 0, 0, 9, 9), thing(13, 7, 1, 0, 0, 9),
        thing(14, 7, 1, 0, 0, -9, 9), {"image_id": 7},
    ]  # fmt: skip
    write(root / "all.json", describe({7: "a.jpg"}, PERSON, *odd))
    with pytest.raises(ManifestError) as caught:
        read_layout(root)
    said = str(caught.value).splitlines()
    assert said[1:] == [
        "  'all.json', annotations[1] (id 11): category_id 2 is none of ['1', '90']",
        "  'all.json', annotations[2] (id 12): image_id 8 is none of the images",
        "  'all.json', annotations[3] (id 13): bbox is [0, 0, 9], no four numbers",
        (
            "  'all.json', annotations[4] (id 14): the box 0.0,0.0,-9.0,9.0 has its left edge "
            "right of its right one, or its top below its bottom"
        ),
        "  'all.json', annotations[5]: category_id is None, no number",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"images": [\n{"id": 1,}]}', "line 2: "),
        (
            '{"images": [], "annotations": [], "categories": 3}',
            r"has no list\(s\) \['categories'\]",
        ),
        ('{"images": [NaN]}', "cannot be read: NaN is no number of JSON"),
        ('{"images": ' + "[" * 100_000, "cannot be read: "),
    ],
)
def test_json_that_describes_nothing_is_refused(draw: Draw, text: str, said: str) -> None:
    root = draw("a.jpg")
    (root / "all.json").write_text(text)
    with pytest.raises(ManifestError, match=f"'all.json': {said}"):
        read_layout(root / "all.json")


@pytest.mark.parametrize("name", ["b.jpg", "../a.jpg", "/etc/passwd"])
def test_frames_that_are_not_there_are_said(draw: Draw, name: str) -> None:
    root = draw("data/a.jpg", "a.jpg") / "data"
    write(root / "all.json", describe({7: "a.jpg", 8: name}, PERSON, BRUSH))
    with pytest.raises(ManifestError, match=f"1 of 2 pictures are not below '.*', first '{name}'"):
        read_layout(root)


def test_a_frame_described_twice_is_refused(draw: Draw) -> None:
    root = draw("a.jpg")
    for name in ("train", "trainval"):
        write(root / f"{name}.json", describe({7: "a.jpg"}, PERSON, BRUSH))
    with pytest.raises(ManifestError, match="'trainval.json': 'a.jpg' is described twice"):
        read_layout(root)


def test_other_json_is_no_layout(draw: Draw) -> None:
    root = draw("cat/a.jpg", "dog/a.jpg")
    write(root / "about.json", {"licence": "CC0", "images": ["cat/a.jpg"]})
    (root / "empty.json").touch()
    assert len(read_layout(root)) == 2


def test_boxes_are_those_of_pycocotools(tmp_path: Path) -> None:
    # Masks that COCO's own tool encodes, and the boxes it makes of them.
    tools = pytest.importorskip("pycocotools.mask", reason="pip install -e '.[test]'")
    rng = np.random.default_rng(0)
    annotations = []
    frame = np.zeros((60, 80, 3), np.uint8)
    for key in range(1, 9):
        left, top = int(rng.integers(0, 60)), int(rng.integers(0, 40))
        mask = np.zeros((60, 80), np.uint8)
        mask[top : top + key + 8, left : left + 20 - key] = 1
        bbox = tools.toBbox(tools.encode(np.asfortranarray(mask))).tolist()
        annotations.append(thing(key, 7, 90 if key % 2 else 1, *bbox))
        frame[mask == 1] = key * 10
        expected = mask
    Image.fromarray(frame).save(tmp_path / "a.png")
    path = write(tmp_path / "all.json", describe({7: "a.png"}, *annotations))

    coco = pytest.importorskip("pycocotools.coco").COCO(str(path))
    manifest = read_layout(path)
    names = [coco.cats[coco.anns[key]["category_id"]]["name"] for key in coco.getAnnIds()]
    assert manifest.rows["label"].tolist() == names
    last = read_row(manifest.row(7), ObjectSettings(margin=0))
    assert last.shape[:2] == (expected.any(axis=1).sum(), expected.any(axis=0).sum())
    assert (last == 80).all()  # the object that was drawn last is all there is in its box
