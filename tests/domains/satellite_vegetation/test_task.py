import numpy as np
import pytest

from tasks.satellite_vegetation.task import TASK


def test_its_settings_travel_in_its_recipe_with_a_meaning_each() -> None:
    recipe = TASK.defaults()
    assert {name for name in recipe.dotted() if name.startswith("task.")} == {
        "task.rotate",
        "task.crop",
        "task.light",
        "task.file_bands",
        "task.scale",
        "task.indices",
        "task.block_m",
    }
    assert all(recipe.meanings().values())


def test_chips_are_seen_at_the_size_they_are_published_in() -> None:
    assert TASK.recipe.size == 64


@pytest.mark.parametrize("size", [32, 64])
def test_views_have_the_size_that_is_asked_for(size: int) -> None:
    chip = np.zeros((size, size, 3), np.uint8)
    view = TASK.augment(size, TASK.settings)(image=chip, row=None)  # type: ignore[arg-type]  # any
    assert view["image"].shape == (size, size, 3)
