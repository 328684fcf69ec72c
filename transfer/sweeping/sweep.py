"""One sweep, top to bottom: trials on val with whoever works along, then the conclusion."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import optuna
import pandas as pd

from transfer.budget import Budget
from transfer.experiment import closing
from transfer.logbook import Logbook
from transfer.repeats import without_test
from transfer.sweeping.concluding import FEW, Concluding
from transfer.sweeping.figures import draw_front, draw_history, draw_importance
from transfer.sweeping.reading import (
    importance,
    ranked,
    read_conclusion,
    read_trials,
    usual_seconds,
)
from transfer.sweeping.result import Conclusion, Objective, Sweep, Trial
from transfer.sweeping.study import Interrupted, work
from transfer.sweeping.trials import Attempt, Bench
from transfer.tracking.tracker import NOTE_TAG, Tracker

STUDY_TAG = "transfer.study"
"""Tag of the runs under which the trials of a study stand: one for each process that worked."""

_FEW_TRIALS = 20


@dataclass(frozen=True)
class Wishes:
    """What a person wants of a sweep.

    Attributes:
        trials: how many the study shall have.
        seeds: on so many the best few are fitted before one is believed.
        budget_seconds: no trial is begun that would not fit; None is no limit.
    """

    trials: int
    seeds: int = 1
    budget_seconds: float | None = None


@dataclass(frozen=True)
class Studies:
    """Where trials are kept.

    Attributes:
        trials: the study.
        conclusion: gives the study whose only trial concludes it.
        storage: where both are, without a password.
    """

    trials: optuna.Study
    conclusion: Callable[[], optuna.Study]
    storage: str


def carry_out(bench: Bench, studies: Studies, wishes: Wishes, tracker: Tracker) -> Sweep:
    """Carry out trials until the study has enough, choose on val, and test the chosen once.

    Several processes may do so with the same study at the same time; each returns the same.

    Args:
        bench: what trials are carried out with; its plan is that of the parent.
        studies: where they are kept.
        wishes: how many, and how long.
        tracker: keeps the parent of those that this process carries out.

    Raises:
        TransferError: as a run does, but for what a combination of settings does wrong.
    """
    plan, study, budget = bench.base, studies.trials, Budget(wishes.budget_seconds)
    logbook = Logbook(without_test(plan), tracker, log_pictures=False)
    with closing(tracker, plan.name):
        run_id = logbook.open({STUDY_TAG: study.study_name})
        bench = replace(bench, base=replace(plan, parent=run_id))
        ended = ""
        try:
            _work(bench, studies, wishes, budget)
        except Interrupted:
            ended = "interrupted; the same command goes on with the study"
        found = replace(_read(bench, studies), seconds=budget.spent, ended=ended)
        _keep(found, logbook, tracker)
        return replace(found, run_id=tracker.finish("KILLED" if ended else "FINISHED"))


def _work(bench: Bench, studies: Studies, wishes: Wishes, budget: Budget) -> None:
    study, seed, say = studies.trials, bench.base.settled.recipe.seed, bench.progress.say
    if read_conclusion(studies.conclusion()) is not None:
        bench.progress.warn(
            "this study is concluded, and its chosen settings were seen on test: more trials would "
            "choose by that; take another --name for them"
        )
        return
    work(
        study,
        Attempt(bench, study.study_name),
        wishes.trials,
        seed=seed,
        has_time=lambda: budget.fits(usual_seconds(study)),
        say=say,
    )
    if ranked(read_trials(study, bench.space), bench.objectives):
        work(studies.conclusion(), Concluding(bench, study, wishes.seeds), 1, seed=seed, say=say)


def _read(bench: Bench, studies: Studies) -> Sweep:
    """Return what both studies know by now."""
    plan, study = bench.base, studies.trials
    trials = read_trials(study, bench.space)
    best = ranked(trials, bench.objectives)
    conclusion = read_conclusion(studies.conclusion()) if best else None
    return Sweep(
        study=study.study_name,
        storage=studies.storage,
        task=plan.task.name,
        objectives=bench.objectives,
        space={name: axis.words() for name, axis in bench.space.items()},
        trials=trials,
        front=tuple(one.number for one in best) if len(bench.objectives) > 1 else (),
        importance=importance(study, bench.space),
        conclusion=conclusion,
        notes=tuple(_notes(trials, best, bench.objectives, conclusion)),
        notice=plan.task.notice,
        shown=(plan.headline, *plan.judging.shown),
        name=plan.name,
    )


def _notes(
    trials: Sequence[Trial],
    best: Sequence[Trial],
    objectives: Sequence[Objective],
    conclusion: Conclusion | None,
) -> list[str]:
    if not best:
        failed = [one.about for one in trials if one.state == "failed"]
        return [f"no trial came to anything; the last: {failed[-1]}"] if failed else []
    done = sum(one.state in {"complete", "stopped"} for one in trials)
    notes = [f"val chose among {done} trials, so that its score flatters the chosen; test does not"]
    if conclusion is not None and not conclusion.repeats:
        notes.append(
            "each trial was fitted once, so that a part of what one is ahead by is luck; --seeds 3 "
            f"repeats the best {FEW} before one is believed"
        )
    if len(objectives) > 1:
        notes.append(f"of those that none beats in every objective, {objectives[0].name} chose")
    if len([one for one in trials if one.state == "complete"]) < _FEW_TRIALS:
        notes.append(f"under {_FEW_TRIALS} complete trials say little of which setting mattered")
    return notes


def _keep(found: Sweep, logbook: Logbook, tracker: Tracker) -> None:
    """Keep what was found in the parent: table, figures, JSON, and in words."""
    names = [objective.name for objective in found.objectives]
    lines = [
        {
            "trial": one.number,
            "state": one.state,
            **one.settings,
            **dict(zip(names, one.values, strict=False)),
            "run": one.run,
            "run_id": one.run_id,
            "about": one.about,
        }
        for one in found.trials
    ]
    logbook.table("scores/trials.csv", pd.DataFrame(lines))
    tracker.keep("sweep.json", json.dumps(found.as_json(), indent=1).encode())
    if any(one.state in {"complete", "stopped"} for one in found.trials):
        tracker.keep("figures/history.png", draw_history(found))
    if found.importance:
        tracker.keep("figures/importance.png", draw_importance(found))
    if found.front:
        tracker.keep("figures/front.png", draw_front(found))
    chosen = found.conclusion
    words = [f"chosen: {found.trial(chosen.number).words()}" if chosen else "", *found.notes]
    tracker.tag({NOTE_TAG: "\n\n".join(filter(None, words))})
