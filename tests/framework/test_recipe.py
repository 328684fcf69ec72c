import json
from collections.abc import Iterator

import pytest
from pydantic import Field, ValidationError

from transfer.plugin.discovery import installed_tasks, load_task
from transfer.recipe import Recipe, Settings, Strategy, TaskSettings, TrainingSettings


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
        (Recipe(strategy=Strategy.SCRATCH), 2e-3),
        (Recipe(strategy=Strategy.SCRATCH, lr=5.0), 5.0),
    ],
)
def test_an_unset_learning_rate_is_the_strategy_s_own(recipe: Recipe, rate: float) -> None:
    assert recipe.peak_lr == rate


def test_bands_are_named_as_text_or_as_a_list() -> None:
    assert Recipe(bands="nir, red,green").bands == Recipe(bands=["nir", "red", "green"]).bands
    assert Recipe(bands="nir, red,green").bands == ("nir", "red", "green")
    for wrong in ("red,red", "red,,blue"):
        with pytest.raises(ValueError, match="every band needs a name of its own"):
            Recipe(bands=wrong)
