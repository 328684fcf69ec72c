"""The first run leaves as files, used as docs/leaving.md says."""

import json
import re
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer.exporting import export as exporting
from transfer.exporting.export import Export, Order, export
from transfer.exporting.formats import FORMATS
from transfer.progress import Silent

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "leaving.md").read_text(encoding="utf-8")
LINES: Mapping[str, str] = dict(re.findall(r"```python\n# ([\w-]+)\n(.*?)```", PAGE, re.DOTALL))
INSTALLED = [name for name, each in FORMATS.items() if all(map(find_spec, each.needs))]
EIGHT_BITS = [name for name in INSTALLED if FORMATS[name].from_onnx]


@pytest.fixture(scope="module")
def exported(first, tmp_path_factory) -> tuple[Path, Export]:
    """Every format that is installed, in one folder."""
    folder = tmp_path_factory.mktemp("left") / "é files"
    order = Order(first.name, tuple(INSTALLED), folder, int8=bool(EIGHT_BITS), int8_drop=0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "_SECONDS", 0.0)
        return folder, export(order, first.store, Silent())


@pytest.fixture(scope="module")
def picture(first) -> Path:
    """A chip of 64 px, which the run sees at 56."""
    return min(first.data.rglob("*.jpg"), default=None) or min(first.data.rglob("*.tif"))


@pytest.mark.parametrize("name", INSTALLED)
def test_ten_lines_of_the_page_say_what_the_run_says(
    name, first, exported, picture, monkeypatch, capsys
):
    folder, _ = exported
    monkeypatch.chdir(folder)
    lines = (LINES["picture"] + LINES[name] + LINES["answer"]).replace("picture.jpg", str(picture))
    assert len(LINES[name].strip().splitlines()) <= 10
    said: dict[str, np.ndarray] = {}

    exec(lines, said)  # noqa: S102  # the page's own

    own = transfer.load(first.name, store=first.out).predict([picture])
    assert np.abs(said["probabilities"] - own.filter(like="p_").to_numpy()).max() < 1e-4
    assert own["prediction"][0] in capsys.readouterr().out


def test_each_file_was_held_against_the_run_and_is_no_pickle(exported):
    folder, found = exported
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert found.tried_on == "20 of its val rows"
    plain = [each for each in found.files if each.drop is None]
    assert [each.format for each in plain] == INSTALLED
    assert all(each.difference <= 1e-4 for each in plain)
    assert {each.file for each in found.files} == set(card["files"])
    assert all(set(each.milliseconds) == {1, 32} for each in found.files)
    assert [each.format for each in found.files[len(plain) :]] == [f"{n} int8" for n in EIGHT_BITS]
    assert card["classes"] == sorted(card["classes"])
    assert card["size"] == 56
    with zipfile.ZipFile(folder / "model.pt2") as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert [size for name, size in sizes.items() if name.endswith((".pt", ".pkl"))] == [0]


def test_eight_bits_are_smaller(exported):
    sizes = {each.format: each.megabytes for each in exported[1].files}
    assert all(sizes[f"{name} int8"] < sizes[name] / 3 for name in EIGHT_BITS)
