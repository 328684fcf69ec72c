"""What to type to make a sweep again, and the run of the settings that it chose."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transfer.overlay import EVERYDAY, Layer, as_options, settle
from transfer.plan import Plan
from transfer.recipe import Recipe, as_text
from transfer.sweeping.result import Objective

SPACE_FILE = "space.toml"
"""The space, among what is kept of a sweep."""

_NOT_OF_A_SWEEP = {"batch_size", "lr"}


def sweep_command(
    plan: Plan, varied: Sequence[str], trials: int, seeds: int, objectives: Sequence[Objective]
) -> str:
    """Return what to type for the same study under another name, the space in `SPACE_FILE`.

    Args:
        plan: what all trials share.
        varied: settings that the space has, so that nothing need be said of them.
        trials: how many.
        seeds: on which the best are repeated.
        objectives: what is wanted.
    """
    shared = {name: v for name, v in _texts(plan.settled.recipe).items() if name not in varied}
    names = [one.name for one in objectives]
    words = ["transfer", "sweep", *_about(plan), "--space", SPACE_FILE, "--trials", str(trials)]
    words += ["--seeds", str(seeds)] if seeds > 1 else []
    words += ["--objectives", ",".join(names)] if names != [plan.headline] else []
    options = [name for name in EVERYDAY if name not in _NOT_OF_A_SWEEP]
    return shlex.join([*words, *as_options(shared, plan.task.defaults(), options)])


def chosen_command(plan: Plan, settings: Mapping[str, Any]) -> str:
    """Return what to type for the run of a trial with these settings, test rows and all."""
    recipe = settle(plan.settled.recipe, [Layer("sweep", settings)]).recipe
    words = ["transfer", "fit", *_about(plan)]
    return shlex.join([*words, *as_options(_texts(recipe), plan.task.defaults())])


def _about(plan: Plan) -> list[str]:
    return [plan.task.name, "--data", str(Path(plan.data).absolute())]


def _texts(recipe: Recipe) -> dict[str, str]:
    return {name: as_text(value) for name, value in recipe.dotted().items()}
