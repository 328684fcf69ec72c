from collections.abc import Callable
from pathlib import Path

import pytest

from transfer.errors import ManifestError
from transfer.images.crop import Box
from transfer.samples.layouts.detect import read_layout

Draw = Callable[..., Path]

# The fields of the development kit's readme: type, truncated, occluded, alpha, box, and 7 of 3D.
CAR = "Car 0.88 3 -0.69 0.00 19.20 40.29 37.01 1.60 1.57 3.23 -2.70 1.74 3.68 -1.29"
VAN = "Van 0.00 0 -1.67 65.39 10.13 90.07 43.39 1.41 1.58 4.36 3.18 2.27 34.38 -1.58"
REGION = "DontCare -1 -1 -10 50.89 16.71 59.61 19.13 -1 -1 -1 -1000 -1000 -1000 -10"


@pytest.fixture
def root(draw: Draw) -> Path:
    """A frame of training with a car, a van and a region, and one of testing without labels."""
    root = draw("training/image_2/000000.png", "testing/image_2/000000.png")
    (root / "training/label_2").mkdir()
    (root / "training/label_2/000000.txt").write_text(f"{CAR}\n{REGION}\n{VAN} 0.9\n")
    return root


@pytest.mark.parametrize("below", [".", "training"])
def test_each_object_is_a_row(root: Path, below: str) -> None:
    rows = read_layout(root / below).rows
    assert rows["label"].tolist() == ["Car", "Van"]
    assert rows["box"].tolist() == [Box(0, 19.2, 40.29, 37.01), Box(65.39, 10.13, 90.07, 43.39)]
    assert rows["truncated"].tolist() == ["0.88", "0.00"]
    assert rows["occluded"].tolist() == ["3", "0"]
    assert rows["group"].nunique() == 1
    assert rows["split"].tolist() == ["", ""]


def test_regions_that_are_no_objects_are_counted(root: Path) -> None:
    assert read_layout(root).notes == ("left out 1 region(s) of DontCare",)


def test_mistakes_are_named_with_file_and_line(root: Path) -> None:
    labels = root / "training/label_2"
    (labels / "000000.txt").write_text(f"{CAR}\nCar 0 0\n{VAN.replace('10.13', 'x')}\n")
    (labels / "000007.txt").write_text(CAR)
    with pytest.raises(ManifestError) as caught:
        read_layout(root)
    said = str(caught.value)
    assert "'training/label_2/000000.txt', line 2: 3 fields, not 15" in said
    assert "line 3: the box ['65.39', 'x', '90.07', '43.39'] is no four numbers" in said
    assert "000007.txt': no picture 'training/image_2/000007' with any suffix" in said
