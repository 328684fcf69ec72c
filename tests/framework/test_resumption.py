"""A run that goes on: found by its name, checked, and planned as it was."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from transfer.assembly import Place
from transfer.continuation import Continuation, card_of
from transfer.errors import CheckpointError, DataNotFoundError, RunNotFoundError
from transfer.network.backbone import build_network
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.resumption import resume
from transfer.tracking.events import Started
from transfer.tracking.record import Record
from transfer.tracking.store import Store, open_store
from transfer.tracking.tracker import RunDescription

pytestmark = pytest.mark.usefixtures("own_caches")

NAME = "broken off é"
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "size": 32, "lr": "auto", "epochs": 3,
    "split": {"seed": 5, "val": 0.3},
}  # fmt: skip


class Went(NamedTuple):
    """What a run was given when it went on."""

    plan: Plan
    place: Place
    log_pictures: bool


@pytest.fixture
def went_on(monkeypatch: pytest.MonkeyPatch) -> list[Went]:
    """Train nothing: remember what would have gone on."""
    went: list[Went] = []

    def run(plan: Plan, _: object, __: object, place: Place, *, log_pictures: bool) -> str:
        went.append(Went(plan, place, log_pictures))
        return "went on"

    monkeypatch.setattr("transfer.resumption.run", run)
    return went


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "runs")


@pytest.fixture
def plan(class_folders: Callable[..., Path]) -> Plan:
    task, data = load_task("labelled_images"), class_folders({"cat": 8, "dog": 8})
    layers = [Layer("test", SETTINGS)]
    made = make_plan(task, data, layers, find_model=pytest.fail, progress=Silent())
    return replace(made, name=NAME)


@pytest.fixture
def record(store: Store) -> str:
    """Leave the record of a run whose process is gone, and return its id."""
    store.records.mkdir(parents=True)
    run = RunDescription("labelled_images", NAME)
    kept = Record.create(store.records, Started(destination=store.destination, run=run))
    kept.unlock()
    return kept.id


@pytest.fixture
def begun(store: Store, plan: Plan, record: str) -> Continuation:
    """Leave what a run needs to go on; its learning rate was found by trial."""
    network = build_network("test_resnet", 2)
    decisions = {"machine": {"threads": 1}}
    card = card_of(plan, decisions, network, weights="none", log_pictures=True, processes=1)
    kept = Continuation.begin(store.checkpoints(record), card, plan.manifest)
    kept.decide("lr", 0.125)
    return kept


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_run_goes_on_as_what_it_was(
    store: Store, plan: Plan, begun: Continuation, went_on: list[Went], by: str
) -> None:
    name = NAME if by == "name" else begun.record
    assert resume(name, out=store.out) == "went on"
    ((again, place, log_pictures),) = went_on
    assert (again.name, again.task.name, again.data) == (NAME, plan.task.name, plan.data)
    assert again.manifest.digest() == plan.manifest.digest()
    recipe = plan.settled.recipe
    machine = recipe.machine.model_copy(update={"threads": 1})
    assert again.settled.recipe == recipe
    assert place.decided(recipe) == recipe.model_copy(update={"lr": 0.125, "machine": machine})
    assert place.continued is not None
    assert place.continued.record == begun.record
    assert place.checkpoints(begun.record) == begun.folder
    assert log_pictures


def test_a_sensitive_run_goes_on_without_pictures(
    store: Store, begun: Continuation, went_on: list[Went]
) -> None:
    card = begun.card().model_copy(update={"log_pictures": False})
    (begun.folder / "run.json").write_text(card.model_dump_json())
    resume(NAME, out=store.out)
    assert not went_on[0].log_pictures


def test_rows_stay_in_the_splits_that_they_were_in(
    store: Store, plan: Plan, begun: Continuation, went_on: list[Went]
) -> None:
    # As an earlier run had them (--split): no seed would deal them so.
    swapped = {"train": "test", "test": "train", "val": "val"}
    rows = plan.manifest.rows
    manifest = plan.manifest.with_columns(split=rows["split"].map(swapped).to_numpy())
    card = begun.card().model_copy(update={"digest": manifest.digest()})
    Continuation.begin(begun.folder, card, manifest)
    resume(NAME, out=store.out)
    again = went_on[0].plan.manifest.rows.set_index("key")["split"].to_dict()
    assert again == manifest.rows.set_index("key")["split"].to_dict()


def test_an_unknown_run_is_refused(store: Store, begun: Continuation, went_on: list[Went]) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'broken on é'"):
        resume("broken on é", out=store.out)


@pytest.mark.usefixtures("record")
def test_a_run_without_checkpoints_is_refused(store: Store, went_on: list[Went]) -> None:
    with pytest.raises(CheckpointError) as refused:
        resume(NAME, out=store.out)
    assert f"run {NAME!r} is KILLED and has no checkpoint in {str(store.checkpoints(''))!r}" in str(
        refused.value
    )
    assert f"--weights {NAME}" in str(refused.value)
    assert went_on == []


def test_other_data_are_refused_before_anything_is_opened(
    store: Store, plan: Plan, begun: Continuation, went_on: list[Went]
) -> None:
    (plan.data / "cat" / "cat 0.png").unlink()
    with pytest.raises(CheckpointError, match=r"0 row\(s\) are new, 1 are gone"):
        resume(NAME, out=store.out)
    assert went_on == []
    plan.data.rename(plan.data.with_name("elsewhere"))
    with pytest.raises(DataNotFoundError, match="no folder or table"):
        resume(NAME, out=store.out)
    assert went_on == []


def test_other_settings_are_refused_before_the_data_are_looked_at(
    store: Store, begun: Continuation, went_on: list[Went], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: dict[str, Any] = {**begun.card().recipe, "momentum": 0.9}
    card = begun.card().model_copy(update={"recipe": recipe})
    (begun.folder / "run.json").write_text(card.model_dump_json())
    monkeypatch.setattr("transfer.resumption.make_plan", lambda *_, **__: pytest.fail("looked"))
    with pytest.raises(CheckpointError, match=r"\['momentum'\] more"):
        resume(NAME, out=store.out)
    assert went_on == []
