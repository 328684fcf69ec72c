from tasks.labelled_images.task import TASK


def test_its_settings_travel_in_its_recipe_with_a_meaning_each() -> None:
    recipe = TASK.defaults()
    assert {name for name in recipe.dotted() if name.startswith("task.")} == {
        "task.margin",
        "task.min_size",
        "task.crowds",
        "task.target",
        "task.grades",
        "task.labels",
        "task.flip",
        "task.crop",
        "task.light",
    }
    assert all(recipe.meanings().values())
