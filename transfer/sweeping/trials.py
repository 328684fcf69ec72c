"""One trial of a sweep: settings -> plan -> run -> values, or why there are none."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna

from transfer.assembly import Watch
from transfer.errors import ManifestError, RecipeError, TrainingError, WeightsError
from transfer.experiment import RunResult
from transfer.finetuning.ending import Stopped
from transfer.finetuning.training import EpochLog
from transfer.network.cost import count_cost
from transfer.plan import Plan
from transfer.progress import Progress
from transfer.repeats import without_test
from transfer.sweeping.reading import RUN, RUN_ID
from transfer.sweeping.result import Objective, in_words
from transfer.sweeping.space import Space
from transfer.sweeping.study import ERROR, Interrupted, suggest

COSTS = ("parameters", "macs")
"""Objectives that are no score of a task: counted, fewer are better."""

_OF_ITSELF = (TrainingError, RecipeError, WeightsError)
"""What a combination of settings can do wrong without the sweep being wrong."""


@dataclass(frozen=True)
class Bench:
    """What trials are carried out with.

    Attributes:
        base: the plan that all share but for what they vary; its `parent` is the sweep's run.
        replan: settings -> the plan with them, on the same data.
        run: carries a plan out; what watches hears of each epoch.
        space: what is varied.
        objectives: what is wanted; the first one chooses.
        progress: told of everything that takes time.
    """

    base: Plan
    replan: Callable[[Mapping[str, Any]], Plan]
    run: Callable[[Plan, Watch], RunResult]
    space: Space
    objectives: tuple[Objective, ...]
    progress: Progress

    def plan_of(self, settings: Mapping[str, Any], name: str, *, with_test: bool = False) -> Plan:
        """Return the plan of a run with these settings, on the rows of the sweep.

        Raises:
            ManifestError: they change which rows there are, so that no two trials compare.
            RecipeError: they do not go together.
        """
        plan = self.replan(settings)
        if plan.manifest.digest() != self.base.manifest.digest():
            raise ManifestError(
                f"{', '.join(settings)}: one of these settings changes which rows there are, and "
                "trials on other rows do not compare; leave it out of the space"
            )
        plan = replace(plan, name=name, parent=self.base.parent)
        return plan if with_test else without_test(plan)

    def carry_out(self, plan: Plan, watch: Watch) -> RunResult:
        """Run a plan.

        Raises:
            Interrupted: a person wants to end.
            TransferError: as a run does.
        """
        try:
            result = self.run(plan, watch)
        except KeyboardInterrupt as signal:
            raise Interrupted(*signal.args) from signal
        if result.status == "KILLED" and not result.ended.startswith("stopped"):
            raise Interrupted(plan.name)
        return result


@dataclass(frozen=True)
class Attempt:
    """Carries out trials of a study.

    Attributes:
        bench: what with.
        study: name of the study, which those of its runs begin with.
    """

    bench: Bench
    study: str

    def __call__(self, trial: optuna.Trial) -> Sequence[float]:
        """Return the values of a trial; NaN, with the reason as an attribute, where it has none.

        Raises:
            TrialPruned: its epochs fell behind those of the trials before.
            Interrupted, ManifestError: see `Bench`.
        """
        bench, settings = self.bench, suggest(trial, self.bench.space)
        said = ", ".join(f"{name} {in_words(value)}" for name, value in settings.items())
        bench.progress.say(f"trial {trial.number:<4} {said}")
        try:
            plan = bench.plan_of(settings, f"{self.study}-trial{trial.number}")
            result = bench.carry_out(plan, self._watch(trial, plan))
            keep_run(trial, result)
            if result.status == "KILLED":
                raise optuna.TrialPruned(result.ended)
            if result.status == "FAILED":
                raise TrainingError(result.ended)
            return values_of(result, plan, bench.objectives)
        except _OF_ITSELF as error:
            trial.set_user_attr(ERROR, str(error))
            bench.progress.warn(f"trial {trial.number} came to nothing: {error}")
            return [math.nan] * len(bench.objectives)

    def _watch(self, trial: optuna.Trial, plan: Plan) -> Watch:
        """Return what stops a run that falls behind; of several objectives nobody can tell."""
        epochs = plan.settled.recipe.passes(len(plan.manifest.numbers("train")))
        objective = self.bench.objectives[0]

        def watch(log: EpochLog) -> None:
            if len(self.bench.objectives) > 1 or objective.name not in log.scores:
                return
            value = log.scores[objective.name]
            trial.report(value, log.epoch)
            if 1 <= log.epoch < epochs and trial.should_prune():
                raise Stopped(
                    f"{objective.name} {value:.4f} after epoch {log.epoch} of {epochs} is behind "
                    "the median of the trials before"
                )

        return watch


def values_of(result: RunResult, plan: Plan, objectives: Sequence[Objective]) -> list[float]:
    """Return the objectives of a run that finished.

    Raises:
        ManifestError: one is no score of the task.
    """
    recipe, values = plan.settled.recipe, []
    for objective in objectives:
        if objective.name in COSTS:
            values.append(float(getattr(count_cost(recipe.backbone, recipe.size), objective.name)))
        elif objective.name in result.val:
            values.append(result.val[objective.name])
        else:
            ends = ("_low", "_high")
            known = [name for name in result.val if not name.endswith(ends)]
            raise ManifestError(
                f"objective {objective.name!r} is no score of these rows; there are "
                f"{', '.join([*known, *COSTS])}"
            )
    return values


def keep_run(trial: optuna.Trial, result: RunResult) -> None:
    """Keep which run a trial was."""
    trial.set_user_attr(RUN, result.name)
    trial.set_user_attr(RUN_ID, result.run_id)
