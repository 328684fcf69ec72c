import json
from pathlib import Path

import pytest
from pydantic import Field

from transfer.errors import RecipeError
from transfer.overlay import Layer, parse_assignments, read_layer, settle
from transfer.recipe import Recipe, Strategy
from transfer.settings import TaskSettings, TrainingSettings


class Chips(TaskSettings):
    """Settings of a task that is not installed."""

    bands: int = Field(default=3, ge=1)
    """How many."""
    flip: bool = True
    """Whether."""


TASK_RECIPE = Recipe(size=64, training=TrainingSettings(layer_decay=0.9)).with_task(Chips(bands=4))


def refused(*assignments: str, defaults: Recipe = TASK_RECIPE) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        settle(defaults, [parse_assignments(assignments)])
    first, *mistakes = str(caught.value).split("\n  ")
    assert first == "recipe refused"
    return mistakes


def test_the_uppermost_layer_wins_and_each_setting_knows_where_it_came_from() -> None:
    layers = [
        Layer("mine.toml", {"epochs": 30, "batch_size": 8, "training": {"patience": 2}}),
        Layer("--set", {"epochs": 40, "training": {"warmup": 0.2}, "task": {"flip": False}}),
        Layer("option", {"epochs": 50}),
    ]
    settled = settle(TASK_RECIPE, layers)
    values, origins = settled.recipe.dotted(), settled.origins
    seen = {
        name: (values[name], origins[name])
        for name in (
            *("epochs", "batch_size", "size", "seed", "training.patience"),
            *("training.warmup", "training.layer_decay", "task.flip", "task.bands"),
        )
    }
    assert seen == {
        "epochs": (50, "option"),
        "batch_size": (8, "mine.toml"),
        "size": (64, "task"),
        "seed": (0, "default"),
        "training.patience": (2, "mine.toml"),
        "training.warmup": (0.2, "--set"),
        "training.layer_decay": (0.9, "task"),
        "task.flip": (False, "--set"),
        "task.bands": (4, "task"),
    }


def test_names_may_be_dotted_as_a_recipe_prints_them() -> None:
    dotted = {"training.patience": 2, "training": {"warmup": 0.2}, "task.flip": False}
    nested = {"training": {"patience": 2, "warmup": 0.2}, "task": {"flip": False}}
    assert settle(TASK_RECIPE, [Layer("mine", dotted)]) == settle(
        TASK_RECIPE, [Layer("mine", nested)]
    )
    with pytest.raises(RecipeError, match="training.patienc: no such setting; did you mean train"):
        settle(TASK_RECIPE, [Layer("mine", {"training.patienc": 2})])


def test_every_setting_has_an_origin() -> None:
    assert settle(TASK_RECIPE).origins.keys() == TASK_RECIPE.dotted().keys()


def test_without_layers_the_recipe_is_the_task_s() -> None:
    settled = settle(TASK_RECIPE)
    assert settled.recipe == TASK_RECIPE
    assert isinstance(settled.recipe.task, Chips)


def test_only_a_person_gives_a_setting() -> None:
    settled = settle(TASK_RECIPE, [Layer("option", {"epochs": 3})])
    decided = settled.with_values("auto", backbone="resnet10t")
    assert settled.given("epochs")
    assert not settled.given("size")
    assert not settled.given("seed")
    assert (decided.recipe.backbone, decided.origins["backbone"]) == ("resnet10t", "auto")
    assert (settled.recipe.backbone, settled.origins["backbone"]) == ("resnet18", "default")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("epoch", "epochs"),
        ("training.patiense", "training.patience"),
        ("task.flipp", "task.flip"),
        ("sede", "seed"),
    ],
)
def test_a_misspelt_key_is_refused_with_what_was_meant(wrong: str, right: str) -> None:
    assert refused(f"{wrong}=3") == [f"{wrong}: no such setting; did you mean {right}?"]


def test_a_key_that_is_like_no_other_is_refused_without_a_guess() -> None:
    assert refused("zzzzzz=3") == ["zzzzzz: no such setting"]


def test_all_mistakes_are_reported_together() -> None:
    mistakes = refused("epochs=0", "backbon=resnet18", "task.bands=0", "split.val=2", "task.x=1")
    assert len(mistakes) == 5
    assert any(line.startswith("epochs = 0: ") for line in mistakes)
    assert "backbon: no such setting; did you mean backbone?" in mistakes
    assert any(line.startswith("task.bands = 0: ") for line in mistakes)
    assert any(line.startswith("split.val = 2: ") for line in mistakes)
    assert any(line.startswith("task.x: no such setting") for line in mistakes)


def test_shares_that_leave_nothing_to_learn_from_are_refused() -> None:
    (mistake,) = refused("split.val=0.5", "split.test=0.5")
    assert mistake.startswith("split = ")
    assert mistake.endswith("val + test + calibration = 1 leaves no row to train on")


@pytest.mark.parametrize(
    "assignment",
    [
        *("epochs=0", "size=7", "batch_size=0", "lr=0", "lr=-1e-3", "lr=inf", "lr=nan", "seed=-1"),
        *(
            "split.val=0",
            "split.val=1",
            "split.test=1.0",
            "split.calibration=-0.1",
            "split.seed=-1",
        ),
        *("probe.l2=[]", "probe.l2=[-1]", "probe.l2=[nan]", "probe.iterations=0"),
        *("training.head_lr=0", "training.layer_decay=0", "training.layer_decay=1.1"),
        *("training.weight_decay=-1", "training.weight_decay=inf", "training.warmup=1"),
        *("training.label_smoothing=1", "training.clip_norm=-1", "training.patience=-1"),
        *("training.batch_statistics=moving", "machine.device=tpu", "machine.precision=fp8"),
        *("machine.workers=-1", "machine.threads=0", "machine.cache_gb=-1", "machine.pixels_gb=-1"),
        *("framing=stretch", "strategy=freeze", "epochs=many", "epochs=1.5", "training=3"),
    ],
)
def test_a_value_out_of_bounds_is_refused(assignment: str) -> None:
    mistakes = refused(assignment, defaults=Recipe())
    assert all(mistake.startswith(assignment.partition("=")[0]) for mistake in mistakes)


@pytest.mark.parametrize(
    ("assignment", "changes"),
    [
        ("epochs=3", {"epochs": 3}),
        ("lr=1e-3", {"lr": 1e-3}),
        ("task.flip=false", {"task": {"flip": False}}),
        ("probe.l2=[1e-3, 1]", {"probe": {"l2": [1e-3, 1]}}),
        ("backbone='resnet18'", {"backbone": "resnet18"}),
        ("backbone=resnet18.tv_in1k", {"backbone": "resnet18.tv_in1k"}),
        ("weights=my files/a=b #1.safetensors", {"weights": "my files/a=b #1.safetensors"}),
        (" epochs = 3", {"epochs": 3}),
        ("name=", {"name": ""}),
        ("weights=2026-01-01", {"weights": "2026-01-01"}),
        ("weights=07:32:00", {"weights": "07:32:00"}),
    ],
)
def test_a_value_is_toml_and_else_plain_text(assignment: str, changes: dict[str, object]) -> None:
    assert parse_assignments([assignment]) == Layer("--set", changes)


def test_assignments_of_one_table_are_laid_over_each_other() -> None:
    layer = parse_assignments(["training.patience=3", "training.warmup=0", "training.patience=4"])
    assert layer.changes == {"training": {"patience": 4, "warmup": 0}}


@pytest.mark.parametrize("assignment", ["epochs", "=3", "1x=2", "a..b=1", "a-b=1", ".a=1", ""])
def test_what_is_no_assignment_is_refused_as_it_was_written(assignment: str) -> None:
    with pytest.raises(RecipeError, match="write --set key=value") as caught:
        parse_assignments([assignment])
    assert repr(assignment) in str(caught.value)


def test_the_recipe_that_a_run_keeps_replays_it(tmp_path: Path) -> None:
    assignments = parse_assignments(
        ["task.bands=5", "strategy=probe", "probe.l2=[1e-2]", "lr=3e-4", "machine.workers=2"]
    )
    recipe = settle(TASK_RECIPE, [assignments]).recipe
    kept = tmp_path / "recipe.json"
    kept.write_text(json.dumps(recipe.model_dump(mode="json")))
    plain_task = Recipe().with_task(Chips())
    assert settle(plain_task, [read_layer(kept)]).recipe == recipe


def test_a_toml_file_is_a_layer_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('strategy = "probe"\n[training]\npatience = 3\n[task]\nflip = false\n')
    settled = settle(TASK_RECIPE, [read_layer(path)])
    assert settled.recipe.strategy is Strategy.PROBE
    assert settled.recipe.training.patience == 3
    assert settled.recipe.task == Chips(bands=4, flip=False)
    assert settled.origins["task.flip"] == "mine.toml"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.toml", b"epochs: 3", "cannot be read"),
        ("a.toml", b"\xff\xfe", "cannot be read"),
        ("a.json", b"{", "cannot be read"),
        ("a.json", b"[1]", "holds no table of settings"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecipeError, match=reason) as caught:
        read_layer(tmp_path / name)
    assert name in str(caught.value)


def test_a_missing_recipe_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no recipe file .*gone\.toml"):
        read_layer(tmp_path / "gone.toml")
