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
