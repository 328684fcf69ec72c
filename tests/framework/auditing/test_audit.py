import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("own_caches")
Command = Callable[..., Any]
_QUIET = ("--weights", "starter", "--size", "32", "--set", "machine.threads=1")


@pytest.fixture
def leaky(class_folders: Callable[..., Path]) -> Path:
    """Given splits with an equal picture and a near one across them, and one of two labels."""
    data = class_folders({f"{split}/{name}": 4 for split in ("train", "test") for name in "ab"})
    (data / "test" / "a" / "twin.png").write_bytes((data / "train/a/a 0.png").read_bytes())
    (data / "test" / "b" / "odd.png").write_bytes((data / "test/a/a 1.png").read_bytes())
    with Image.open(data / "train" / "b" / "b 2.png") as picture:
        picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(data / "test" / "b" / "<near>.png")
    for file in data.rglob("*.png"):
        os.utime(file, (1e9, 1e9))
    return data


def test_an_audit_says_what_is_wrong_and_writes_it_down(
    command_line: Command, leaky: Path, tmp_path: Path
) -> None:
    page, numbers, groups = (tmp_path / f"audit{end}" for end in (".html", ".json", ".csv"))
    files = ("--html", page, "--json", numbers, "--groups-out", groups)
    typed = command_line("audit", "labelled_images", "--data", leaky, *_QUIET, *files)
    assert typed.code == 1
    assert "rows       19 pictures each alone, single label" in typed.out
    assert "splits     train 8, test 11" in typed.out
    assert "leak       equal bytes: train 'train/a/a 0.png', test 'test/a/twin.png'" in typed.out
    assert "two labels 'test/a/a 1.png' is a, 'test/b/odd.png' is b" in typed.out
    assert "near leak  test 'test/b/<near>.png' and train 'train/b/b 2.png' agree 1.00" in typed.out
    found = json.loads(numbers.read_text())
    assert not found["clean"]
    assert [len(rows) for rows in found["equals"]] == [2, 2]
    (near,) = found["copies"]
    assert near["mirrored"]
    assert found["doubts"] is not None
    html = page.read_text()
    assert "&lt;near&gt;" in html
    assert "<near>" not in html
    assert html.count("data:image/png") >= 6
    table = pd.read_csv(groups)
    assert set(table["image"]) == {"test/b/<near>.png", "train/b/b 2.png"}
    assert len(set(table["group"])) == 1


def test_pictures_without_a_fault_leave_with_0(
    command_line: Command, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data, page = class_folders({"a": 6, "b": 6}), tmp_path / "audit.html"
    typed = command_line("audit", "labelled_images", "--data", data, "--fast", *_QUIET)
    assert (typed.code, "likely label errors" in typed.out) == (0, False)
    assert "splits     none given; a run draws them" in typed.out
    assert "verdict    no leak between given splits" in typed.out
    assert command_line("audit", "labelled_images", "--data", data, "--html", "x.txt").code == 2
    assert not page.exists()


def test_pictures_of_a_sensitive_task_stay_off_the_page_unless_asked_for(
    command_line: Command, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data, page = class_folders({"NORMAL": 5, "SICK": 5}), tmp_path / "audit.html"
    twin = data / "NORMAL" / "twin.png"
    twin.write_bytes((data / "NORMAL" / "NORMAL 0.png").read_bytes())
    asked = ("audit", "medical_imaging", "--data", data, "--html", page, "--fast", *_QUIET)
    assert "--show-images lets them in" in command_line(*asked).out
    assert "data:image" not in page.read_text()
    command_line(*asked, "--show-images")
    assert page.read_text().count("data:image") == 2


def test_copies_of_copies_are_one_group_of_the_groups_file(
    command_line: Command, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data, groups = class_folders({"a": 9, "b": 9}), tmp_path / "groups.csv"
    for name in "ab":
        pixels = np.asarray(Image.open(data / name / f"{name} 0.png"))
        for level in range(3):
            dimmed = Image.fromarray((pixels * (0.9 - level / 20)).astype(np.uint8))
            dimmed.save(data / name / f"copy {level}.png")
    audited = ("audit", "labelled_images", "--data", data, "--fast", *_QUIET)
    assert command_line(*audited, "--groups-out", groups).code == 0
    table = pd.read_csv(groups)
    assert sorted(table.groupby("group").size()) == [4, 4]
