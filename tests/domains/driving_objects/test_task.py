from tasks.driving_objects.task import TASK


def test_its_settings_travel_in_its_recipe_with_a_meaning_each() -> None:
    recipe = TASK.defaults()
    assert {name for name in recipe.dotted() if name.startswith("task.")} == {
        "task.margin",
        "task.min_size",
        "task.crowds",
        "task.only",
        "task.leave_out",
        "task.drive",
        "task.track",
        "task.mirrored",
        "task.zoom",
        "task.shift",
        "task.rotate",
        "task.light",
        "task.blur",
        "task.costly",
        "task.heights",
        "task.truncations",
        "task.brightnesses",
    }
    assert all(recipe.meanings().values())


def test_framing_keeps_the_whole_box() -> None:
    assert TASK.defaults().framing in {"pad", "squash"}
