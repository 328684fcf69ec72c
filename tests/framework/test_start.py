"""From names to a run: what is asked for, what lies over what, and what is looked up."""

import inspect
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from transfer.errors import OutputError, RecipeError, RunNotFoundError
from transfer.overlay import settle
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.start import Request, carry_out, fit, plan_for, repeat
from transfer.tracking.events import Started
from transfer.tracking.record import Record
from transfer.tracking.store import Store, open_store
from transfer.tracking.tracker import RunDescription

pytestmark = pytest.mark.usefixtures("own_caches")

EVERYDAY = {
    "backbone": "resnet34", "weights": "none", "strategy": "probe", "epochs": 3, "size": 96,
    "batch_size": 7, "lr": 0.5, "seed": 4,
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "runs")


def keep_run(store: Store, name: str, task: str, **files: bytes) -> None:
    """Leave the record of an earlier run that no database has taken yet."""
    run = RunDescription(task, name)
    store.records.mkdir(parents=True, exist_ok=True)
    record = Record.create(store.records, Started(destination=store.destination, run=run))
    for path, content in files.items():
        record.keep(path, content)
    record.unlock()


def test_a_recipe_file_lies_under_settings_and_those_under_options(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("epochs = 3\nlr = 0.1\nsize = 96\n")
    request = Request(
        "any", tmp_path, {"epochs": 5, "seed": None}, file, settings={"epochs": 4, "lr": 0.2}
    )
    settled = settle(Recipe(seed=8), request.layers())
    recipe = settled.recipe
    assert (recipe.epochs, recipe.lr, recipe.size, recipe.seed) == (5, 0.2, 96, 8)
    origins = [settled.origins.get(name) for name in ("epochs", "lr", "size", "seed")]
    assert origins == ["option", "--set", "own.toml", "task"]


def test_fit_asks_for_everything_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Request, object]] = []
    monkeypatch.setattr("transfer.start.carry_out", lambda *arguments: asked.append(arguments))
    rest: dict[str, Any] = {
        "name": "mine", "settings": {"split": {"test": 0.2}}, "split": "before",
        "tracking_uri": "http://localhost:5000", "log_images": True,
    }  # fmt: skip
    fit("demo", "some/folder", **EVERYDAY, recipe="own.toml", out="runs", **rest)
    ((request, progress),) = asked
    assert request == Request(
        "demo", Path("some/folder"), EVERYDAY, recipe=Path("own.toml"), out=Path("runs"), **rest
    )
    assert isinstance(progress, Silent)


def test_the_everyday_options_are_settings_of_the_recipe_and_unset_by_default() -> None:
    options = inspect.signature(fit).parameters
    assert set(EVERYDAY) <= set(Recipe.model_fields) & set(options)
    assert {options[name].default for name in EVERYDAY} == {None}


@pytest.mark.parametrize(
    ("task", "asked", "shown"),
    [
        ({"sensitive": False}, {}, True),
        ({"sensitive": True}, {}, False),
        ({"sensitive": True}, {"log_images": True}, True),
    ],
)
def test_pictures_of_a_sensitive_task_are_shown_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, task: Any, asked: Any, shown: object
) -> None:
    plan = SimpleNamespace(task=SimpleNamespace(**task))
    monkeypatch.setattr("transfer.start.plan_for", lambda *_: plan)
    monkeypatch.setattr("transfer.start.run", lambda *_, log_pictures: log_pictures)
    request = Request("labelled_images", tmp_path, {}, out=tmp_path / "runs", **asked)
    assert carry_out(request, Silent()) is shown


def test_a_store_that_cannot_be_written_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("transfer.start.plan_for", lambda *_: pytest.fail("work was begun"))
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"Not a directory; choose a folder .* with --out"):
        carry_out(
            Request("labelled_images", tmp_path, {}, out=tmp_path / "file" / "runs"), Silent()
        )


def test_a_name_that_is_taken_gets_a_number(class_folders: Any, store: Store) -> None:
    for name in ("mine", "mine-2"):
        keep_run(store, name, "labelled_images")
    keep_run(store, "yours", "another_task")
    data = class_folders({"a": 3, "b": 3})
    request = Request("labelled_images", data, {"weights": "none"}, name="mine")
    assert plan_for(request, store, Silent()).name == "mine-3"
    request = Request("labelled_images", data, {"weights": "none"}, name="yours")
    assert plan_for(request, store, Silent()).name == "yours"


def test_a_run_without_a_name_is_called_after_what_it_does(
    class_folders: Any, store: Store
) -> None:
    data = class_folders({"a": 3, "b": 3})
    plan = plan_for(Request("labelled_images", data, EVERYDAY), store, Silent())
    assert plan.name == "resnet34-probe-96px-seed4"


def test_rows_stay_in_the_splits_of_an_earlier_run(class_folders: Any, store: Store) -> None:
    data = class_folders({"a": 10, "b": 10})
    request = Request("labelled_images", data, {"weights": "none"})
    rows = plan_for(request, store, Silent()).manifest.rows
    turned = rows["split"].map({"train": "train", "val": "test", "test": "val"})  # no seed does so
    table = io.BytesIO()
    rows[["key"]].assign(split=turned).to_parquet(table)
    keep_run(store, "before", "labelled_images", **{"data/split.parquet": table.getvalue()})
    again = plan_for(
        Request("labelled_images", data, {"weights": "none"}, split="before"), store, Silent()
    )
    pd.testing.assert_series_equal(again.manifest.rows["split"], turned, check_dtype=False)


def test_a_run_that_is_not_there_is_no_source_of_splits_or_weights(
    class_folders: Any, store: Store
) -> None:
    data = class_folders({"a": 3, "b": 3})
    keep_run(store, "before", "labelled_images")
    with pytest.raises(RunNotFoundError, match=r"no run 'befour' .* did you mean before"):
        plan_for(Request("labelled_images", data, {}, split="befour"), store, Silent())
    with pytest.raises(ValueError, match=r"weights = 'befour' .* did you mean before"):
        plan_for(Request("labelled_images", data, {"weights": "befour"}), store, Silent())


def test_planning_writes_nothing(class_folders: Any, store: Store, tmp_path: Path) -> None:
    request = Request("labelled_images", class_folders({"a": 3, "b": 3}), {"weights": "none"})
    plan_for(request, store, Silent())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "pictures"]


def test_mistakes_in_settings_are_told_together(tmp_path: Path, store: Store) -> None:
    settings = {"training": {"pateince": 3}, "task": {"flop": True}}
    request = Request("labelled_images", tmp_path, {"epochs": 0}, settings=settings)
    with pytest.raises(RecipeError) as caught:
        plan_for(request, store, Silent())
    assert "training.pateince: no such setting; did you mean training.patience?" in str(
        caught.value
    )
    assert "task.flop: no such setting; did you mean task.flip?" in str(caught.value)
    assert "epochs = 0" in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"folds": 5, "fractions": (0.1,)}, "give one of them"),
        ({"folds": 1}, "--folds 1: take 2 or more"),
        ({"fractions": (0.1, 1.5)}, "--fractions 1.5: take shares above 0 and up to 1"),
    ],
)
def test_repeats_that_mean_nothing_are_refused(tmp_path: Path, asked: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Request("labelled_images", tmp_path, {}, **asked)


@pytest.mark.parametrize(
    ("asked", "called"),
    [({"folds": 3}, "cross_validate"), ({"fractions": (0.5, 1.0)}, "learning_curve")],
)
def test_what_is_asked_for_is_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: Any, called: str
) -> None:
    monkeypatch.setattr("transfer.start.plan_for", lambda *_: "the plan")
    monkeypatch.setattr(f"transfer.start.{called}", lambda plan, what, *_: (plan, what))
    request = Request("labelled_images", tmp_path, {}, out=tmp_path / "runs", **asked)
    assert repeat(request, Silent()) == ("the plan", *asked.values())


def test_weights_of_the_last_run_are_of_a_run_by_its_name(
    class_folders: Any, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keep_run(store, "before", "labelled_images")
    (tmp_path / "model.json").write_text('{"backbone": "resnet34"}')
    monkeypatch.setattr("transfer.start.model_folder", lambda *_: tmp_path)
    data = class_folders({"a": 3, "b": 3})
    plan = plan_for(Request("labelled_images", data, {"weights": "last"}), store, Silent())
    recipe = plan.settled.recipe
    assert (recipe.weights, recipe.backbone) == ("before", "resnet34")
