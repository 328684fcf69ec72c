"""The first run leaves: as files, used as docs/leaving.md says, as a page, and under a name."""

import html
import json
import re
import shlex
import shutil
import zipfile
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import transfer
from transfer.earlier import recipe_of
from transfer.errors import PromotionError
from transfer.exporting import export as exporting
from transfer.exporting.export import Export, Order, export
from transfer.exporting.formats import FORMATS
from transfer.overlay import parse_assignments, settle
from transfer.progress import Silent
from transfer.promotion.promote import promote
from transfer.reporting.again import command
from transfer.reporting.gathered import gather
from transfer.reporting.page import as_page
from transfer.tracking.relocation import relocate
from transfer.tracking.runs import find_run
from transfer.tracking.store import open_store

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
    assert len([line for line in LINES[name].splitlines() if line]) <= 10
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


@pytest.fixture(scope="module")
def page(first) -> str:
    """The report of the first run."""
    run, task = find_run(first.store, first.name), transfer.load_task(first.task)
    return as_page(gather(first.store, run, task, Silent(), show_images=True))


def test_a_report_tells_all_of_a_run_and_needs_nothing_else(page, first):
    text, result = html.unescape(page), first.result
    value, low, high = (result.test[f"balanced_accuracy{end}"] for end in ("", "_low", "_high"))
    assert f"balanced_accuracy {value:.3f} [{low:.3f}, {high:.3f}] on test" in text
    for part in (
        first.name, str(first.data), result.digest, first.odd_class, "clean", "GMACs",
        "Scores on test", "Each class on test", "Make it again", "transfer fit",
    ):  # fmt: skip
        assert part in text
    assert first.odd_class not in page  # its & is escaped
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert all(address.startswith("data:image/png;base64,") for address in addresses)
    assert "<script" not in page
    assert len(page) < 5e6


def test_mistakes_come_with_where_it_looked_and_what_looks_alike(page, kept, first):
    said = kept(first.name).table("predictions.parquet").query("split == 'test'")
    guessed = said.filter(like="p_").idxmax(axis=1).str.removeprefix("p_")
    wrong = int((guessed != said["label"]).sum())
    assert page.count('<div class="mistake">') == min(wrong, 12)
    assert page.count("where it looked<") == min(wrong, 12)
    assert page.count(" alike</figcaption>") == 3 * min(wrong, 12)


def test_the_command_of_a_report_makes_the_same_recipe_again(first, kept):
    run, task = find_run(first.store, first.name), transfer.load_task(first.task)
    words = shlex.split(command(run, task))
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    everyday = {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in pairwise(words)
        if name.startswith("--") and name not in {"--set", "--data"}
    }
    layers = [parse_assignments(f"{k}={v}" for k, v in (settings | everyday).items())]
    again = settle(task.defaults(), layers).recipe.dotted()
    recipe = recipe_of(first.store, run, task).dotted()
    assert {k: v for k, v in again.items() if not k.startswith("machine.")} == {
        k: v for k, v in recipe.items() if not k.startswith("machine.")
    }
    assert words[words.index("--data") + 1] == str(first.data)


def test_a_clean_run_gets_a_name_and_travels_with_its_code(first, tmp_path, picture):
    store = open_store(tmp_path / "moved" / "runs")
    shutil.copytree(first.out, store.out)
    assert relocate(store) >= 2  # else the copy would write where it came from

    done = promote(store, first.name, "champion", Silent(), name="chips")

    assert (done.version, done.forced, done.address) == ("1", False, "models:/chips@champion")
    with pytest.raises(PromotionError, match="is champion:chips already"):
        promote(store, first.name, "champion", Silent(), name="chips", force=True)
    own = transfer.load(first.name, store=first.out).predict([picture])
    assert transfer.load("champion:chips", store=store.out).predict([picture]).equals(own)
    code = next((store.out / "artifacts" / "models").glob("*/artifacts/code"))
    assert {path.name for path in code.iterdir()} >= {"transfer", "tasks"}
    assert (next(code.glob("resnet_transfer-*.dist-info")) / "entry_points.txt").is_file()
    assert not list(code.rglob("*.safetensors"))
