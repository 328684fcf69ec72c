"""What a run will do, before it does anything."""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transfer.errors import ManifestError, RecipeError
from transfer.images.pictures import Pixels, read_picture
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan, read_rows
from transfer.plugin.task import Task
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.groups_file import as_groups_file
from transfer.samples.layouts.detect import read_layout
from transfer.samples.manifest import Manifest, Row
from transfer.settings import TaskSettings

pytestmark = pytest.mark.usefixtures("own_caches")


class Unchanged:
    """An Augmentation that changes nothing."""

    def set_random_state(self, *_: np.random.Generator | random.Random) -> None:
        pass

    def __call__(self, *, image: Pixels, row: object) -> Mapping[str, Pixels]:
        return {"image": image}


TASK = Task(
    name="demo",
    summary="pictures",
    read_manifest=lambda data, _: read_layout(data),
    augment=lambda _size, _settings: Unchanged(),
    recipe=Recipe(backbone="test_resnet", size=32),
)

Make = Callable[..., tuple[Plan, Any]]


@pytest.fixture
def planned(told: Any) -> Make:
    """Make a plan with these settings over the task's; return it and what was said."""

    def make(data: Path, task: Task = TASK, **settings: Any) -> tuple[Plan, Any]:
        heard = type(told)()
        layers = [Layer("test", {"weights": "none", **settings})]
        find_model: Any = lambda run: pytest.fail(f"run {run} was looked for")  # noqa: E731
        return make_plan(task, data, layers, find_model=find_model, progress=heard), heard

    return make


def test_a_plan_holds_the_readable_rows_with_their_splits(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"cat": 10, "dog": 10})
    plan, told = planned(data)
    assert plan.name == "test_resnet-lp-ft-32px-seed0"
    assert (plan.data, plan.task, plan.broken) == (data, TASK, ())
    assert plan.manifest.classes == ("cat", "dog")
    assert plan.manifest.rows["key"].is_unique
    assert set(plan.manifest.rows["split"]) == {"train", "val", "test"}
    assert told.notes == []


def test_what_was_understood_is_said(planned: Make, class_folders: Callable[..., Path]) -> None:
    _, told = planned(class_folders({"cat": 8, "dog": 12}), size=48)
    assert told.lines[0] == "network    test_resnet at 48 px, weights: none"
    assert told.lines[1].startswith("data       20 pictures each alone, 2 classes: train 14, val")
    counts = {line.split()[0]: sum(map(int, line.split()[1:])) for line in told.lines[3:]}
    assert counts == {"cat": 8, "dog": 12}


def test_only_the_rarest_of_many_classes_are_shown(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    many = {f"class_{number:02}": 3 + (number == 0) for number in range(25)}
    _, told = planned(class_folders(many))
    shown = [line.split()[0] for line in told.lines if line.strip().startswith("class_")]
    assert shown == [f"class_{number:02}" for number in range(1, 21)]
    assert told.lines[-1].strip() == "the rarest of 25; all are in data/counts.csv"


def test_starter_weights_are_named_for_what_they_are(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    plan, told = planned(class_folders({"a": 3, "b": 3}), weights="starter")
    assert plan.settled.recipe.backbone == "resnet10t"
    said = "network    resnet10t at 64 px, the size of its weights, weights: starter"
    assert told.lines[0] == said
    assert "no substitute for ImageNet's" in told.notes[0]


def test_files_that_cannot_be_read_are_left_out_and_told_in_one_line(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"a": 40, "b": 40})
    good = (data / "a" / "a 0.png").read_bytes()
    (data / "a" / "cut.png").write_bytes(good[: len(good) // 2])
    (data / "a" / "empty.png").touch()
    (data / "a" / "gone.png").symlink_to(data / "nowhere.png")
    for number in range(3):
        (data / "b" / f"text {number}.jpg").write_text("no picture")
    plan, told = planned(data)
    assert len(plan.manifest) == 80
    assert [image for image, _ in plan.broken] == [
        "a/cut.png", "a/empty.png", "a/gone.png",
        "b/text 0.jpg", "b/text 1.jpg", "b/text 2.jpg",
    ]  # fmt: skip
    (note,) = told.notes
    assert note == (
        "left out 6 file(s) that cannot be read: 'a/cut.png', 'a/empty.png', 'a/gone.png', "
        f"'b/text 0.jpg', 'b/text 1.jpg' and 1 more; the first: {plan.broken[0].reason}"
    )


def test_what_a_reader_left_aside_is_told(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"a": 3, "b": 3})
    (data / "notes.txt").touch()
    _, told = planned(data)
    assert told.notes == ["left aside 1 file(s) that are no pictures (.txt)"]


def _without_test(plan: Plan) -> Manifest:
    return plan.manifest.keep((plan.manifest.rows["split"] != "test").to_numpy())


@pytest.fixture
def leaky(class_folders: Callable[..., Path]) -> Path:
    """Given splits, with one picture in two of them."""
    data = class_folders({"train/a": 5, "train/b": 5, "test/a": 2, "test/b": 2})
    twin = (data / "train" / "a" / "a 0.png").read_bytes()
    (data / "test" / "a" / "twin.png").write_bytes(twin)
    return data


def test_given_splits_that_leak_are_refused_with_the_ways_out(planned: Make, leaky: Path) -> None:
    with pytest.raises(ManifestError, match="leak: 1 of equal bytes in several") as refused:
        planned(leaky)
    for said in (
        "train 'train/a/a 0.png', test 'test/a/twin.png'",
        "--allow-leaks",
        "ignore_given",
    ):
        assert said in str(refused.value)
    drawn_anew, _ = planned(leaky, **{"split.ignore_given": True})
    assert drawn_anew.audit == "clean"


def test_leaks_that_are_allowed_stay_with_the_plan(planned: Make, leaky: Path) -> None:
    plan, told = planned(leaky, **{"split.allow_leaks": True})
    assert told.notes == [
        "1 of equal bytes in several splits; scores will look better than they are"
    ]
    assert plan.audit == "leaks allowed: 1 of equal bytes"
    without_test = replace(plan, manifest=_without_test(plan))
    assert without_test.audit == "clean"


def test_one_picture_with_two_labels_is_told(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"a": 8, "b": 8})
    (data / "b" / "twin.png").write_bytes((data / "a" / "a 0.png").read_bytes())
    _, told = planned(data)
    assert told.notes == [
        "1 picture(s) have more than one label: 'a/a 0.png' is a, 'b/twin.png' is b"
    ]


def test_rows_of_a_groups_file_stay_together_and_its_digest_is_kept(
    planned: Make, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    data = class_folders({"a": 12, "b": 12})
    alone, _ = planned(data)
    assert alone.groups_digest == ""
    rows = alone.manifest.rows
    chosen = [rows.index[rows["split"] == split][0] for split in ("train", "val", "test")]
    file = tmp_path / "groups.csv"
    file.write_text(as_groups_file([chosen], alone.manifest))
    plan, _ = planned(data, **{"split.groups_file": str(file)})
    assert len(set(plan.manifest.rows.loc[chosen, "split"])) == 1
    assert plan.groups_digest == hashlib.sha256(file.read_bytes()).hexdigest()[:16]
    file.write_text("image,group\n")
    with pytest.raises(ManifestError, match="lacks column"):
        planned(data, **{"split.groups_file": str(file)})


def test_given_splits_and_groups_are_ignored_where_asked_and_that_is_told(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    data = class_folders({"a": 12, "b": 12})
    files = sorted(data.rglob("*.png"))
    images = [file.relative_to(data).as_posix() for file in files]
    rows = {
        "image": images,
        "label": [name[0] for name in images],
        "group": [f"{name[0]}{number % 4}" for number, name in enumerate(images)],
        "split": ["test" if number % 4 == 0 else "train" for number in range(len(images))],
    }
    pd.DataFrame(rows).to_csv(data / "rows.csv", index=False)

    plan, told = planned(data / "rows.csv", split={"ignore_given": True})
    given, _ = planned(data / "rows.csv")
    alone, warned = planned(data / "rows.csv", split={"ignore_given": True, "ignore_groups": True})

    assert given.manifest.rows["split"].eq("test").tolist() == [s == "test" for s in rows["split"]]
    groups = plan.manifest.rows.groupby("group")["split"]
    assert groups.nunique().eq(1).all()
    assert set(groups.first()) == {"train", "val", "test"}
    assert told.notes == []
    assert len(set(alone.manifest.group_numbers())) == 24
    (note,) = warned.notes
    assert note.startswith("groups are ignored: 24 rows of 8 groups are dealt one by one")


def test_settings_are_checked_before_the_data_is_looked_at(planned: Make, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="did you mean epochs"):
        planned(tmp_path / "not there", epoch=3)
    with pytest.raises(RecipeError, match="timm has none of that name; among others it has adam"):
        planned(tmp_path / "not there", training={"optimizer": "adamv"})
    with pytest.raises(RecipeError, match="head.stages = 7: test_resnet gives the outputs of 5"):
        planned(tmp_path / "not there", head={"stages": 7})


def test_a_class_with_one_picture_is_too_few_to_split(
    planned: Make, class_folders: Callable[..., Path]
) -> None:
    with pytest.raises(ManifestError, match="class 'rare' has 1 for train, val, test"):
        planned(class_folders({"common": 9, "rare": 1}))


class Inverted(TaskSettings):
    inverted: bool = False


def read_perhaps_inverted(row: Row, settings: Inverted) -> Pixels:
    pixels = read_picture(row.path)
    return 255 - pixels if settings.inverted else pixels


def read_inverted(row: Row, _: TaskSettings) -> Pixels:
    return 255 - read_picture(row.path)


def test_another_reader_or_another_setting_of_it_does_not_inherit_what_was_seen(
    class_folders: Callable[..., Path],
) -> None:
    data = class_folders({"a": 2, "b": 2})

    def pixels_of(task: Task, settings: TaskSettings) -> list[str]:
        rows = read_rows(task, Recipe().with_task(settings), data, Silent()).manifest.rows
        return rows["pixels"].tolist()

    plain = pixels_of(TASK, TaskSettings())
    negative = pixels_of(replace(TASK, read_image=read_inverted), TaskSettings())
    assert not set(plain) & set(negative)
    choosing = replace(TASK, settings=Inverted(), read_image=read_perhaps_inverted)
    assert pixels_of(choosing, Inverted()) == plain
    assert pixels_of(choosing, Inverted(inverted=True)) == negative


def test_weights_that_are_decided_are_not_looked_for(class_folders: Callable[..., Path]) -> None:
    data = class_folders({"a": 3, "b": 3})
    layers = [Layer("run before", {"weights": "a run that was deleted"})]
    plan = make_plan(TASK, data, layers, find_model=None, progress=Silent())
    recipe = plan.settled.recipe
    assert (recipe.weights, recipe.backbone) == ("a run that was deleted", "test_resnet")
