"""Start a run from names: what `transfer.fit` and the command line share."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from transfer.agreement import agree_on_plan, joined, tracker_for
from transfer.assembly import Place, Watch, nobody
from transfer.errors import RecipeError
from transfer.experiment import RunResult, run
from transfer.gap import Gap, measure_gap
from transfer.logbook import SPLIT_TABLE
from transfer.network.pretrained import FindModel
from transfer.overlay import Layer, Settled, read_layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.processes import ALONE, Processes
from transfer.progress import Progress, Silent
from transfer.recipe import Strategy
from transfer.repeats import (
    Repeated,
    RunOne,
    cross_validate,
    fold_plans,
    fraction_plans,
    learning_curve,
)
from transfer.tracking.names import unique_name
from transfer.tracking.runs import LAST, fetch, find_run, model_folder
from transfer.tracking.store import DEFAULT_OUT, Store, open_store, prepare_folder

_FEWEST_FOLDS = 2


@dataclass(frozen=True)
class Request:
    """What a person asks for, before anything is looked up.

    Attributes:
        task: name of an installed task.
        data: a folder or a table.
        everyday: the everyday settings that were given, by their names in the recipe.
        recipe: a .toml file, or the recipe.json of a run.
        settings: any other settings, nested or dotted as in the recipe.
        name: of the run; unset makes one of what the run does.
        split: an earlier run whose rows stay in the splits they were in.
        out: folder of the run store.
        tracking_uri: where the runs go, if not into `out`.
        log_images: let pictures of a sensitive task into the store.
        folds: run so many, each judged on rows it never saw; test rows stay out.
        fractions: run on these shares of the training rows, judged on val; test rows stay out.
    """

    task: str
    data: Path
    everyday: Mapping[str, Any]
    recipe: Path | None = None
    settings: Mapping[str, Any] | None = None
    name: str | None = None
    split: str | None = None
    out: Path = Path(DEFAULT_OUT)
    tracking_uri: str | None = None
    log_images: bool = False
    folds: int | None = None
    fractions: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse repeats that mean nothing.

        Raises:
            RecipeError: a single fold, a fraction that is none, or both at once.
        """
        if self.folds is not None and self.fractions:
            raise RecipeError("--folds and --fractions ask for different runs; give one of them")
        if self.folds is not None and self.folds < _FEWEST_FOLDS:
            raise RecipeError(f"--folds {self.folds}: take {_FEWEST_FOLDS} or more, as in 5")
        if wrong := [share for share in self.fractions if not 0 < share <= 1]:
            raise RecipeError(
                f"--fractions {wrong[0]:g}: take shares above 0 and up to 1, as in 0.1,0.3,1"
            )

    @property
    def repeats(self) -> bool:
        """Whether several runs are asked for."""
        return self.folds is not None or bool(self.fractions)

    def layers(self) -> list[Layer]:
        """Return the changes over the task's recipe, the uppermost last."""
        layers = [read_layer(self.recipe)] if self.recipe else []
        layers += [Layer("--set", self.settings)] if self.settings else []
        given = {name: value for name, value in self.everyday.items() if value is not None}
        return [*layers, Layer("option", given)]


def fit(  # noqa: PLR0913  # the everyday settings, each by its name
    task: str,
    data: Path | str,
    *,
    backbone: str | None = None,
    weights: str | None = None,
    strategy: str | None = None,
    epochs: int | None = None,
    size: int | None = None,
    batch_size: int | None = None,
    lr: float | str | None = None,
    seed: int | None = None,
    name: str | None = None,
    recipe: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    split: str | None = None,
    out: Path | str = DEFAULT_OUT,
    tracking_uri: str | None = None,
    log_images: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Fine-tune `task` on the files of `data`, score it, keep it in the run store.

    What is not given takes the task's recipe; `transfer recipe TASK` shows every setting.

    Args:
        task: name of an installed task; `transfer tasks` lists them.
        data: a folder of class folders, or a table with columns image and label.
        backbone: any timm model name.
        weights: auto, starter, none, hub, a .safetensors file, or an earlier run.
        strategy: lp-ft, probe, partial, gradual, finetune or scratch.
        epochs: passes over the training rows.
        size: side of the picture the network sees, px.
        batch_size: rows of a batch, of all processes together.
        lr: peak learning rate; "auto" finds one.
        seed: moves first weights, order and views; never the split.
        name: of the run.
        recipe: a .toml file, or the recipe.json that a run keeps.
        settings: any other settings: {"split.test": 0.2, "task": {"flip": False}}.
        split: an earlier run whose rows stay in the splits they were in.
        out: folder of the run store.
        tracking_uri: of an MLflow server; unset takes MLFLOW_TRACKING_URI, else `out`.
        log_images: let pictures of a sensitive task into the store.
        progress: told what happens; unset is silent.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    everyday = {
        "backbone": backbone,
        "weights": weights,
        "strategy": strategy,
        "epochs": epochs,
        "size": size,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
    }
    request = Request(
        task=task,
        data=Path(data),
        everyday=everyday,
        recipe=Path(recipe) if recipe is not None else None,
        settings=settings,
        name=name,
        split=split,
        out=Path(out),
        tracking_uri=tracking_uri,
        log_images=log_images,
    )
    return carry_out(request, progress or Silent())


def carry_out(request: Request, progress: Progress) -> RunResult:
    """Plan what is asked for and run it.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    with joined(progress) as (processes, heard):
        plan, store = prepared(request, heard, processes)
        return runner(request, store, heard, processes)(plan)


def repeat(request: Request, progress: Progress) -> Repeated:
    """Plan the folds or fractions that are asked for, and run them under one parent.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    with joined(progress) as (processes, heard):
        plan, store = prepared(request, heard, processes)
        run_one = runner(request, store, heard, processes)
        tracker = tracker_for(store, heard, processes)
        if request.folds is not None:
            return cross_validate(plan, request.folds, tracker, heard, run_one)
        return learning_curve(plan, request.fractions, tracker, heard, run_one)


def gap(request: Request, progress: Progress) -> Gap:
    """Plan a probe of what is asked for, and say what a split that ignores groups is worth.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    probe = replace(request, everyday={**request.everyday, "strategy": Strategy.PROBE.value})
    with joined(progress) as (processes, heard):
        plan, store = prepared(probe, heard, processes)
        run_one = runner(probe, store, heard, processes)
        return measure_gap(plan, tracker_for(store, heard, processes), heard, run_one)


def plans_of(request: Request, plan: Plan) -> list[Plan]:
    """Return the plans of all runs that are asked for.

    Raises:
        ManifestError: a class has too few groups to be repeated on.
    """
    if request.folds is not None:
        return fold_plans(plan, request.folds)
    return fraction_plans(plan, request.fractions) if request.fractions else [plan]


def prepared(
    request: Request, progress: Progress, processes: Processes = ALONE
) -> tuple[Plan, Store]:
    """Return the plan of what is asked for, and its store, whose folder is there.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    store = open_store(request.out, request.tracking_uri)

    def prepare() -> Plan:
        load_task(request.task)  # a misspelt name leaves no folder behind
        prepare_folder(store)
        return plan_for(request, store, progress)

    return agree_on_plan(prepare, processes), store


def runner(
    request: Request,
    store: Store,
    progress: Progress,
    processes: Processes = ALONE,
    watch: Watch = nobody,
) -> RunOne:
    """Return what carries out a plan as a run of its own; `watch` hears of each epoch."""
    return lambda plan: run(
        plan,
        tracker_for(store, progress, processes),
        progress,
        Place(finder(store), store.checkpoints, processes=processes, watch=watch),
        log_pictures=request.log_images or not plan.task.sensitive,
    )


def plan_for(request: Request, store: Store, progress: Progress) -> Plan:
    """Return what a run of `request` would do; nothing is written but the cache of read files.

    Raises:
        TransferError: with what was seen, where, and what to do.
    """
    previous = splits_of(store, request.split) if request.split else None
    plan = make_plan(
        load_task(request.task),
        request.data,
        request.layers(),
        previous=previous,
        find_model=finder(store),
        progress=progress,
    )
    name = unique_name(store, request.task, request.name or plan.name)
    return replace(plan, name=name, settled=_by_name(plan.settled, store))


def _by_name(settled: Settled, store: Store) -> Settled:
    """Return the recipe with the last run by its name: once this one has begun, it is another."""
    if settled.recipe.weights != LAST:
        return settled
    return settled.with_values(settled.origins["weights"], weights=find_run(store, LAST).name)


def finder(store: Store) -> FindModel:
    """Return what finds the model of a run of `store`."""
    return lambda run: model_folder(store, find_run(store, run))


def splits_of(store: Store, run: str) -> dict[str, str]:
    """Return row key -> split as an earlier run had them."""
    with TemporaryDirectory() as folder:
        table = pd.read_parquet(fetch(store, find_run(store, run), SPLIT_TABLE, Path(folder)))
    return dict(zip(table["key"], table["split"], strict=True))
