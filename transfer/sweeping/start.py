"""From names to a sweep: what the command line asks for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from transfer.errors import ProcessError, RecipeError
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.processes import share_of_launch
from transfer.progress import Progress, Silent
from transfer.recipe import dotted
from transfer.start import Request, finder, prepared, runner
from transfer.sweeping.result import Objective, Sweep
from transfer.sweeping.space import Space, read_space
from transfer.sweeping.study import agree, done_and_under_way, free_name, open_study
from transfer.sweeping.sweep import Studies, Wishes, carry_out
from transfer.sweeping.trials import COSTS, Bench
from transfer.tracking.door import without_password
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import Store, open_store

DATABASE = "sweeps.db"
"""File in the folder of the run store that keeps studies where no other storage is named."""


def sweep(
    request: Request,
    space: Path,
    *,
    wishes: Wishes,
    objectives: Sequence[str] = (),
    storage: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Try settings of a space, choose among them on val, and test the chosen ones once.

    A study of the request's name is gone on with; whoever asks for the same works along.

    Args:
        request: task, data and the settings that all trials share; its name is that of the study.
        space: a TOML file with what is varied.
        wishes: how many trials, on how many seeds, in what time.
        objectives: scores of the task, parameters, macs; the first one chooses. None is the
            headline of the task.
        storage: URL of a database; unset is a file in the folder of the run store.
        progress: told what happens; unset is silent.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    heard = progress or Silent()
    if share_of_launch().size > 1:
        raise ProcessError(
            "a sweep is shared by starting the same command several times with one --storage, not "
            "by torchrun"
        )
    task = load_task(request.task)
    axes = read_space(space, task.defaults(), request.layers())
    store = open_store(request.out, request.tracking_uri)
    url = storage or f"sqlite:///{store.out.as_posix()}/{DATABASE}"
    name = request.name or free_name(url, "sweep")
    plan, store = prepared(replace(request, name=name), heard)
    wanted = _objectives(objectives or (plan.headline,), plan)
    studies = open_studies(url, name, wanted)
    agree(studies.trials, _facts(plan, axes, wanted))
    _say(name, done_and_under_way(studies.trials), wishes, axes, heard)
    bench = Bench(
        base=replace(plan, name=name),  # whoever works along plans it under a name of its own
        replan=lambda settings: _replanned(request, plan, store, settings),
        run=lambda plan, watch: runner(request, store, heard, watch=watch)(plan),
        space=axes,
        objectives=wanted,
        progress=heard,
    )
    return carry_out(
        bench, studies, wishes, lambda record: MlflowTracker(store, heard.warn, shared=record)
    )


def open_studies(url: str, name: str, objectives: Sequence[Objective]) -> Studies:
    """Return the study called `name` in the database at `url`, and those that stand beside it.

    Raises:
        RecipeError, StoreError: see `open_study`.
    """
    directions = [one.direction for one in objectives]
    return Studies(
        trials=open_study(url, name, directions),
        opening=open_study(url, f"{name}: opening", ["maximize"]),
        workers=open_study(url, f"{name}: workers", ["maximize"]),
        concluding=open_study(url, f"{name}: conclusion", directions[:1]),
        storage=without_password(url),
    )


def _objectives(names: Sequence[str], plan: Plan) -> tuple[Objective, ...]:
    if twice := {name for name in names if list(names).count(name) > 1}:
        raise RecipeError(f"objective(s) {sorted(twice)} stand twice")
    lower = plan.judging.lower_is_better
    return tuple(Objective(name, name in COSTS or lower(name)) for name in names)


def _facts(plan: Plan, space: Space, objectives: Sequence[Objective]) -> dict[str, str]:
    """Return what has to be the same for whoever works on a study, by what people call it."""
    recipe = plan.settled.recipe.model_dump(mode="json", exclude={"machine"})
    shared = {name: value for name, value in dotted(recipe).items() if name not in space}
    return {
        "task": plan.task.name,
        "data": plan.manifest.digest(),
        "space": json.dumps({name: axis.words() for name, axis in sorted(space.items())}),
        "objectives": ",".join(objective.name for objective in objectives),
        "settings": json.dumps(shared, sort_keys=True),
    }


def _replanned(request: Request, plan: Plan, store: Store, settings: Mapping[str, Any]) -> Plan:
    """Return the plan with other settings, its rows in the splits of `plan`."""
    rows = plan.manifest.rows
    return make_plan(
        plan.task,
        request.data,
        [*request.layers(), Layer("sweep", settings)],
        find_model=finder(store),
        progress=Silent(),
        previous=dict(zip(rows["key"], rows["split"], strict=True)),
    )


def _say(
    study: str, known: tuple[int, int], wishes: Wishes, space: Space, progress: Progress
) -> None:
    done, under_way = known
    goes_on = f", {done} of them done, {under_way} under way" if any(known) else ""
    progress.say(f"sweep      study {study!r}: {wishes.trials} trials{goes_on}")
    for name, axis in space.items():
        progress.say(f"           {name}: {axis.words()}")
