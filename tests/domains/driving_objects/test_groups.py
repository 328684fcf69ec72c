import pytest

from tasks.driving_objects.groups import drives, tracks
from tasks.driving_objects.settings import Settings


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (["drive_1/image_2/0.png", "drive_2/image_2/0.png"], ["drive_1", "drive_2"]),
        (["2011/a_sync/image_02/data/0.png", "2011/b_sync/image_02/data/0.png"],
         ["2011/a_sync", "2011/b_sync"]),
        (["images/train/berlin/0.jpg", "images/val/bonn/0.jpg"],
         ["images/train/berlin", "images/val/bonn"]),
        (["VOCdevkit/VOC2007/JPEGImages/0.jpg", "VOCdevkit/VOC2012/JPEGImages/0.jpg"], ["", ""]),
        (["training/image_2/0.png", "training/image_2/1.png"], ["", ""]),
        (["one/image_2/0.png", "one/image_2/1.png"], ["", ""]),  # as much as nothing
        (["0.jpg", "drive/1.jpg"], ["", ""]),
    ],
)  # fmt: skip
def test_a_drive_of_frames_is_the_folder_above_that_no_layout_makes(
    images: list[str], expected: list[str]
) -> None:
    assert drives(images, [""] * len(images), pattern="") == expected


def test_a_drive_of_single_objects_is_a_folder_below_the_one_of_their_class() -> None:
    images = ["stop/monday/1.jpg", "yield/friday/1.jpg", "train/yield/2.jpg", "other/3.jpg"]
    labels = ["stop", "yield", "yield", "yield"]
    assert drives(images, labels, pattern="") == ["stop/monday", "yield/friday", "", ""]


def test_a_pattern_takes_its_groups_or_what_it_matches() -> None:
    images = ["images/7_12.jpg", "images/7_13.jpg", "images/other.jpg"]
    assert drives(images, [""] * 3, pattern=r"/(\d+)_") == ["7", "7", ""]
    assert drives(images, [""] * 3, pattern=r"\d+_(?=\d)") == ["7_", "7_", ""]
    assert drives(images, [""] * 3, pattern=r"(\d)_(\d)") == ["7/1", "7/1", ""]


def test_tracks_are_those_of_gtsrb_and_numbered_anew_in_each_class() -> None:
    images = ["00014/00001_00002.ppm", "00014/00001_00029.ppm", "00013/00001_00002.ppm"]
    first, second, other = tracks(images, Settings())
    assert first == second != other
    assert tracks(["cat/1_2.jpg", "IMG_20200101_00001.jpg"], Settings()) == ["", ""]
    assert tracks(images, Settings(track="")) == ["", "", ""]
