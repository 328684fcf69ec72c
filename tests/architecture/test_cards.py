"""The cards of every task: each loads, its layout is read, and its line to type next is right."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from transfer import load_task
from transfer.catalogue.card import Card, Layout, read_cards
from transfer.catalogue.installed import read_catalogue
from transfer.overlay import Layer, settle
from transfer.plugin.discovery import installed_tasks
from transfer.start import Request

ROOT = Path(__file__).parents[2]
FILES = sorted(ROOT.glob("tasks/*/cards.toml"))
CATALOGUE = read_catalogue()
CARDS = pytest.mark.parametrize("card", CATALOGUE.cards, ids=lambda card: card.name)
REGISTRIES = ("pypi.org", "pythonhosted.org", "conda", "anaconda", "npmjs", "crates.io")


def frame(path: Path, shade: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 60), (shade, shade, shade)).save(path)


def class_folders(data: Path) -> None:
    for number, label in enumerate(("a", "b")):
        for picture in range(2):
            frame(data / label / f"{label}_000{picture}_0000{picture}.png", 50 * number + picture)


def voc(data: Path) -> None:
    lists = data / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    splits = {"000001": "train", "000002": "val", "000003": "test"}
    for number, (name, split) in enumerate(splits.items()):
        frame(data / f"JPEGImages/{name}.jpg", number)
        things = "".join(
            f"<object><name>{label}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{edge}</xmax>"
            f"<ymax>{edge}</ymax></bndbox></object>"
            for label, edge in (("cat", 40), ("dog", 50))
        )
        (data / "Annotations").mkdir(exist_ok=True)
        (data / f"Annotations/{name}.xml").write_text(f"<annotation>{things}</annotation>")
        for listed in {split, "test" if split == "test" else "trainval"}:
            with (lists / f"{listed}.txt").open("a") as file:
                file.write(f"{name}\n")
            with (lists / f"cat_{listed}.txt").open("a") as file:
                file.write(f"{name}  1\n")


def coco(data: Path) -> None:
    pictures = data.parents[1] / data.stem.removeprefix("instances_")
    frame(pictures / "1.jpg", 1)
    things = [
        {"id": key, "image_id": 7, "category_id": key, "bbox": [0, 0, 30, 30 + key], "iscrowd": 0}
        for key in (1, 2)
    ]
    content = {
        "images": [{"id": 7, "file_name": "1.jpg"}],
        "annotations": things,
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "brush"}],
    }
    data.parent.mkdir()
    data.write_text(json.dumps(content))
    data.with_name("captions_val2017.json").write_text("{}")


def kitti(data: Path) -> None:
    frame(data / "training/image_2/000000.png", 1)
    (data / "training/label_2").mkdir()
    lines = [f"{label} 0 0 0 1 1 {edge} {edge} 1 1 1 1 1 1 1" for label, edge in
             (("Car", 40), ("Van", 50))]  # fmt: skip
    (data / "training/label_2/000000.txt").write_text("\n".join(lines))


WRITE: Mapping[Layout, Callable[[Path], None]] = {
    "class folders": class_folders, "Pascal VOC": voc, "COCO": coco, "KITTI": kitti,
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_every_file_of_cards_loads(file: Path) -> None:
    assert read_cards(file, file.parent.name)


def test_every_task_of_ours_that_has_cards_is_in_the_catalogue() -> None:
    ours = {entry.name for entry in installed_tasks() if entry.value.startswith("tasks.")}
    assert CATALOGUE.broken == []
    assert {card.task for card in CATALOGUE.cards} == {file.parent.name for file in FILES} & ours


def test_names_are_those_of_no_other_card_and_no_task() -> None:
    names = [card.name for file in FILES for card in read_cards(file, file.parent.name)]
    assert len(names) == len({*names})
    assert not {*names} & {entry.name for entry in installed_tasks()}  # data/TASK holds samples


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_no_card_asks_a_registry_of_packages(file: Path) -> None:
    addresses = [
        address
        for card in read_cards(file, file.parent.name)
        for address in (card.page, *(each.url or "" for each in card.files))
    ]
    assert not [each for each in addresses if any(name in each for name in REGISTRIES)]


@CARDS
def test_what_is_unpacked_is_read_with_the_settings_of_its_line(
    card: Card,
    command_line: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    requests: list[Request] = []

    def remember(request: Request, _: object) -> None:
        requests.append(request)
        raise SystemExit(0)

    monkeypatch.setattr("transfer.start.carry_out", remember)
    folder = tmp_path / "a folder" / card.name
    WRITE[card.layout](folder / card.data)
    transfer, *arguments = shlex.split(card.fit_line(folder))
    assert transfer == "transfer"
    assert command_line(*arguments).code == 0
    (request,) = requests
    task = load_task(request.task)
    assert request.task == card.task
    recipe = settle(task.defaults(), [Layer("--set", request.settings)]).recipe
    manifest = task.read_manifest(request.data, recipe.task)
    assert len(manifest.rows) >= 2
    assert len(manifest.classes) >= 2
