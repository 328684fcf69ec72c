import json
from collections.abc import Iterator

import pytest
from pydantic import Field, ValidationError

from transfer.errors import RecipeError
from transfer.overlay import parse_assignments, settle
from transfer.plugin.discovery import installed_tasks, load_task
from transfer.recipe import Recipe, Strategy
from transfer.settings import Settings, TaskSettings, TrainingSettings


class Chips(TaskSettings):
    """Settings of a task that is not installed."""

    bands: int = Field(default=3, ge=1)
    """How many."""
    flip: bool = True
    """Whether."""


TASK_RECIPE = Recipe(size=64, training=TrainingSettings(layer_decay=0.9)).with_task(Chips(bands=4))


def names(model: type[Settings], prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting, from the model's fields alone."""
    for name, about in model.model_fields.items():
        if isinstance(about.default, Settings):
            yield from names(type(about.default), f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_setting_has_a_dotted_name_and_a_meaning() -> None:
    recipes = [Recipe(), TASK_RECIPE]
    recipes += [load_task(entry.name).defaults() for entry in installed_tasks()]
    for recipe in recipes:
        own = {name for name in names(type(recipe)) if name != "task"}
        own |= set(names(type(recipe.task), "task."))
        meanings = recipe.meanings()
        assert set(recipe.dotted()) == set(meanings) == own
        assert not [name for name, meaning in meanings.items() if not meaning]
        assert not [name for name, meaning in meanings.items() if "\n" in meaning]


def test_dotted_values_are_what_json_can_hold() -> None:
    assert json.loads(json.dumps(TASK_RECIPE.dotted())) == TASK_RECIPE.dotted()


def test_a_recipe_is_frozen_at_every_depth() -> None:
    for settings, name in ((TASK_RECIPE, "epochs"), (TASK_RECIPE.training, "warmup")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, name, 1)


@pytest.mark.parametrize(
    ("recipe", "rate"),
    [
        (Recipe(), 1e-3),
        (Recipe(weights="starter"), 3e-3),
        (Recipe(strategy=Strategy.SCRATCH), 2e-3),
        (Recipe(strategy=Strategy.SCRATCH, weights="starter"), 2e-3),
        (Recipe(strategy=Strategy.SCRATCH, lr=5.0), 5.0),
    ],
)
def test_an_unset_rate_is_that_of_strategy_and_weights(recipe: Recipe, rate: float) -> None:
    assert recipe.peak_lr == rate


@pytest.mark.parametrize(("rows", "epochs"), [(1, 20), (600, 17), (1_250, 8), (50_000, 8)])
def test_unset_epochs_are_more_where_pictures_are_few(rows: int, epochs: int) -> None:
    assert Recipe().passes(rows) == epochs
    assert Recipe(epochs=3).passes(rows) == 3


def trained_with(optimizer: str, **settings: float) -> Recipe:
    return Recipe(training=TrainingSettings(optimizer=optimizer, **settings))


@pytest.mark.parametrize(
    ("optimizer", "rate", "decay"),
    [
        ("adamw", 1e-3, 0.05),
        ("lamb", 1e-3, 0.05),
        ("adam", 1e-3, 1e-4),
        ("sgd", 1e-2, 1e-4),
        ("momentum", 1e-2, 1e-4),
        ("lion", 1e-4, 0.5),
    ],
)
def test_unset_rate_and_decay_are_the_optimizer_s_own(
    optimizer: str, rate: float, decay: float
) -> None:
    recipe = trained_with(optimizer)
    assert (recipe.peak_lr, recipe.training.decay) == pytest.approx((rate, decay))
    assert trained_with(optimizer, weight_decay=0.0).training.decay == 0.0


@pytest.mark.parametrize("typed", ["auto", '"auto"'])
def test_a_learning_rate_that_is_to_be_found_is_not_known_yet(typed: str) -> None:
    recipe = settle(Recipe(), [parse_assignments([f"lr={typed}"])]).recipe
    assert recipe.lr == "auto"
    with pytest.raises(RecipeError, match="before it was found"):
        _ = recipe.peak_lr


@pytest.mark.parametrize("typed", ["atuo", "0", "-1", "nan", "[1]"])
def test_a_wrong_learning_rate_is_one_sentence(typed: str) -> None:
    with pytest.raises(RecipeError) as caught:
        settle(Recipe(), [parse_assignments([f"lr={typed}"])])
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 1
    assert lines[0].startswith("  lr = ")
    assert lines[0].endswith(": a learning rate is a number above 0, or auto")


def test_bands_are_named_as_text_or_as_a_list() -> None:
    assert Recipe(bands="nir, red,green").bands == Recipe(bands=["nir", "red", "green"]).bands
    assert Recipe(bands="nir, red,green").bands == ("nir", "red", "green")
    for wrong in ("red,red", "red,,blue"):
        with pytest.raises(ValueError, match="every band needs a name of its own"):
            Recipe(bands=wrong)
