"""What a run leaves behind so that it can be continued, and what must be the same then."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from transfer.continuation import (
    Card,
    Continuation,
    card_of,
    check_data,
    check_processes,
    check_settings,
)
from transfer.errors import CheckpointError, OutputError
from transfer.network.backbone import Normalization, build_network
from transfer.overlay import Layer, settle
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.samples.manifest import Manifest

pytestmark = pytest.mark.usefixtures("own_caches")

UNEVEN = Normalization((0.1, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 1 / 3))
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "size": 32, "lr": "auto", "no_data": 0.5,
    "bands": "red,green,blue,nir", "task": {"flip": False},
}  # fmt: skip
DECISIONS = {"machine": {"threads": 3, "precision": "fp32"}}


@pytest.fixture
def plan(class_folders: Callable[..., Path]) -> Plan:
    layers, data = [Layer("test", SETTINGS)], class_folders({"cat": 6, "dog": 6})
    task = load_task("labelled_images")
    return make_plan(task, data, layers, find_model=pytest.fail, progress=Silent())


@pytest.fixture
def card(plan: Plan) -> Card:
    network = build_network("test_resnet", 2, UNEVEN)
    return card_of(
        plan, DECISIONS, network, weights="from nothing", log_pictures=False, processes=1
    )


@pytest.fixture
def begun(plan: Plan, card: Card, tmp_path: Path) -> Continuation:
    return Continuation.begin(tmp_path / "checkpoints" / "0123", card, plan.manifest)


def test_a_card_and_a_split_come_back_as_they_were(
    begun: Continuation, plan: Plan, card: Card
) -> None:
    again = Continuation(begun.folder)
    assert again.record == "0123"
    assert again.card() == card
    assert again.card().normalization == UNEVEN
    rows = plan.manifest.rows
    assert again.splits() == {row["key"]: row["split"] for row in rows.to_dict("records")}
    assert not again.checkpoints.exist()


def test_a_card_names_the_run_and_where_its_data_are(plan: Plan, card: Card) -> None:
    assert (card.task, card.name, card.digest) == (
        plan.task.name,
        plan.name,
        plan.manifest.digest(),
    )
    assert Path(card.data) == plan.data.absolute()
    assert (card.weights, card.log_pictures) == ("from nothing", False)


def test_the_recipe_of_a_card_is_that_of_the_run(plan: Plan, card: Card) -> None:
    settled = settle(plan.task.defaults(), [Layer("card", card.recipe)])
    assert settled.recipe == plan.settled.recipe


def test_decisions_lie_over_the_recipe_and_change_nothing_else(
    begun: Continuation, plan: Plan
) -> None:
    begun.decide("lr", 0.25)
    begun.decide("seed", 7)
    known = begun.card()
    settled = settle(plan.task.defaults(), [known.layer()])
    assert settled.recipe == plan.settled.recipe
    machine = plan.settled.recipe.machine.model_copy(update=DECISIONS["machine"])
    changes = {"lr": 0.25, "seed": 7, "machine": machine}
    assert known.decided(settled.recipe) == plan.settled.recipe.model_copy(update=changes)
    assert settled.origins["size"] == f"run {plan.name}"


def test_a_folder_that_cannot_be_written_is_said(plan: Plan, card: Card, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write to .*Not a directory; free some space"):
        Continuation.begin(tmp_path / "file" / "0123", card, plan.manifest)


def test_where_there_is_no_card_there_is_nothing_to_continue(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint in .*: the run is over, or was not"):
        Continuation(tmp_path / "gone").card()


@pytest.mark.parametrize("damage", [lambda text: text[:40], lambda text: text.replace("task", "t")])
def test_a_damaged_card_is_refused(begun: Continuation, damage: Callable[[str], str]) -> None:
    file = begun.folder / "run.json"
    file.write_text(damage(file.read_text()))
    with pytest.raises(CheckpointError, match=r"run\.json' cannot be read: "):
        begun.card()


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"PAR1 no table")])
def test_a_damaged_split_is_refused(begun: Continuation, damage: Callable[[Path], object]) -> None:
    damage(begun.folder / "split.parquet")
    with pytest.raises(CheckpointError, match=r"split\.parquet' cannot be read: "):
        begun.splits()


def test_as_many_processes_as_before_are_accepted(card: Card) -> None:
    check_processes(card, 1)
    check_processes(card.model_copy(update={"processes": 4}), 4)


@pytest.mark.parametrize(
    ("before", "now", "advice"),
    [
        (4, 1, "torchrun --nproc-per-node 4 -m transfer resume"),
        (1, 2, "with transfer resume"),
    ],
)
def test_another_number_of_processes_is_refused(
    card: Card, before: int, now: int, advice: str
) -> None:
    begun = card.model_copy(update={"processes": before})
    with pytest.raises(
        CheckpointError, match=f"began with {before} .* there are {now}: .*{advice}"
    ):
        check_processes(begun, now)


def with_recipe(card: Card, change: Callable[[dict[str, Any]], object]) -> Card:
    recipe = json.loads(json.dumps(card.recipe))
    change(recipe)
    return card.model_copy(update={"recipe": recipe})


def test_the_settings_of_this_version_are_accepted(plan: Plan, card: Card) -> None:
    check_settings(card, plan.task.defaults())


def test_settings_that_came_or_went_are_named(plan: Plan, card: Card) -> None:
    defaults = plan.task.defaults()
    older = with_recipe(card, lambda recipe: recipe["training"].pop("ema"))
    with pytest.raises(CheckpointError, match=r"it has nothing more and lacks \['training.ema'\]"):
        check_settings(older, defaults)
    newer = with_recipe(card, lambda recipe: recipe["task"].update(zoom=2, angle=3))
    with pytest.raises(
        CheckpointError, match=r"has \['task.angle', 'task.zoom'\] more and lacks nothing\. Cont"
    ):
        check_settings(newer, defaults)


def relabelled(manifest: Manifest) -> Manifest:
    labels = manifest.rows["label"].tolist()
    return manifest.with_columns(label=["dog" if labels[0] == "cat" else "cat", *labels[1:]])


def without_two(manifest: Manifest) -> Manifest:
    return replace(manifest, rows=manifest.rows.iloc[2:])


def with_three_others(manifest: Manifest) -> Manifest:
    keys = manifest.rows["key"].tolist()
    return manifest.with_columns(key=["new 0", "new 1", "new 2", *keys[3:]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (relabelled, "0 row(s) are new, 0 are gone"),
        (without_two, "0 row(s) are new, 2 are gone"),
        (with_three_others, "3 row(s) are new, 3 are gone"),
    ],
)
def test_other_data_are_counted(
    begun: Continuation,
    plan: Plan,
    card: Card,
    change: Callable[[Manifest], Manifest],
    said: str,
) -> None:
    with pytest.raises(CheckpointError) as refused:
        check_data(card, change(plan.manifest), begun.splits())
    assert f"the data in {card.data!r} are not those that run {card.name!r} began" in str(
        refused.value
    )
    assert said in str(refused.value)


def test_the_same_rows_go_on(begun: Continuation, plan: Plan, card: Card) -> None:
    check_data(card, plan.manifest, begun.splits())


def test_the_same_rows_in_another_order_are_refused(
    begun: Continuation, plan: Plan, card: Card
) -> None:
    turned = replace(plan.manifest, rows=plan.manifest.rows.iloc[::-1])
    assert turned.digest() == card.digest  # names of files are no part of the data
    with pytest.raises(CheckpointError, match="new names put them into another order"):
        check_data(card, turned, begun.splits())


def test_a_find_that_cannot_be_written_is_told(begun: Continuation) -> None:
    (begun.folder / "incoming_card").mkdir()
    with pytest.raises(OutputError, match=r"cannot write to .*; free some space"):
        begun.decide("lr", 0.003)
    assert "lr" not in begun.card().decisions
