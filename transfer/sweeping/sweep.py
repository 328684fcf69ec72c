"""One sweep, top to bottom: trials on val with whoever works along, then the conclusion."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import optuna
import pandas as pd

from transfer.budget import Budget
from transfer.logbook import Logbook
from transfer.repeats import without_test
from transfer.sweeping.again import SPACE_FILE, chosen_command, sweep_command
from transfer.sweeping.concluding import FEW, Concluding
from transfer.sweeping.figures import draw_front, draw_history, draw_importance
from transfer.sweeping.page import as_page
from transfer.sweeping.parent import Parent
from transfer.sweeping.reading import (
    importance,
    is_closed,
    ranked,
    read_conclusion,
    read_trials,
    usual_seconds,
    why_not_concluded,
)
from transfer.sweeping.result import Conclusion, Objective, Sweep, Trial
from transfer.sweeping.space import as_toml
from transfer.sweeping.study import work
from transfer.sweeping.trials import Attempt, Bench
from transfer.sweeping.workers import anybody, at_work, busy
from transfer.tracking.tracker import NOTE_TAG, SharedTracker, Status

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
    """Where trials are kept, and with them whatever is to be done by one worker alone.

    Attributes:
        trials: the study.
        opening: its only trial opens the run that stands for the study.
        workers: each of its trials is a worker.
        concluding: its only trial concludes the study.
        storage: where all are, without a password.
    """

    trials: optuna.Study
    opening: optuna.Study
    workers: optuna.Study
    concluding: optuna.Study
    storage: str


def carry_out(
    bench: Bench, studies: Studies, wishes: Wishes, tracker: Callable[[str], SharedTracker]
) -> Sweep:
    """Carry out trials until the study has enough, choose on val, and test the chosen once.

    Several processes may do so with the same study at the same time. Whoever has no more time
    leaves it to those who have; the last one concludes it, for all.

    Args:
        bench: what trials are carried out with; its plan is called as the study.
        studies: where they are kept.
        wishes: how many, and how long.
        tracker: id of a record -> what keeps the run that stands for the study.

    Raises:
        TransferError: as a run does, but for what a combination of settings does wrong.
    """
    study, budget = studies.trials, Budget(wishes.budget_seconds)
    parent = Parent(without_test(bench.base), study, studies.opening, tracker)
    record = parent.opened(bench.progress.say)
    bench = replace(bench, base=replace(bench.base, parent=record))
    ended, others = "", 0
    try:
        others = _work(bench, studies, wishes, budget)
    except KeyboardInterrupt:
        ended = "interrupted; the same command goes on with the study"
    except BaseException:
        parent.end(None if anybody(studies.workers) else "FAILED")
        raise
    found = _read(bench, studies, wishes)
    found = replace(found, seconds=budget.spent, ended=ended, others=others)
    return replace(found, run_id=_keep(found, parent, _status(found, studies)))


def _work(bench: Bench, studies: Studies, wishes: Wishes, budget: Budget) -> int:
    """Carry out trials, then conclude; return how many others do so in the place of this one."""
    study, seed, say = studies.trials, bench.base.settled.recipe.seed, bench.progress.say
    if read_conclusion(studies.concluding) is not None:
        bench.progress.warn(
            "this study is concluded, and its chosen settings were seen on test: more trials would "
            "choose by that; take another --name for them"
        )
        return 0

    def goes_on() -> bool:
        return budget.fits(usual_seconds(study)) and not is_closed(study, studies.concluding)

    def carry_out_trials() -> None:
        attempt = Attempt(bench, study.study_name)
        work(study, attempt, wishes.trials, seed=seed, goes_on=goes_on, say=say)

    at_work(studies.workers, wishes.trials, carry_out_trials)
    closed = is_closed(study, studies.concluding)
    if not closed and (others := busy(studies.workers, study)):
        return others
    if closed or ranked(read_trials(study, bench.space), bench.objectives):
        work(studies.concluding, Concluding(bench, study, wishes.seeds), 1, seed=seed, say=say)
    return 0


def _status(found: Sweep, studies: Studies) -> Status | None:
    """Return how the run that stands for the study ended; None where somebody goes on with it."""
    if found.conclusion is not None:
        return "FINISHED"
    if anybody(studies.workers):
        return None
    return "KILLED" if found.ended else "FINISHED"


def _read(bench: Bench, studies: Studies, wishes: Wishes) -> Sweep:
    """Return what the studies know by now."""
    plan, study = bench.base, studies.trials
    trials = read_trials(study, bench.space)
    best = ranked(trials, bench.objectives)
    conclusion = read_conclusion(studies.concluding)
    wrong = why_not_concluded(studies.concluding)
    chosen = next((one for one in trials if conclusion and one.number == conclusion.number), None)
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
        notes=(
            *([f"the chosen settings came to nothing when fitted again: {wrong}"] if wrong else []),
            *_notes(trials, best, bench.objectives, conclusion),
        ),
        notice=plan.task.notice,
        shown=(plan.headline, *plan.judging.shown),
        again=sweep_command(plan, list(bench.space), wishes.trials, wishes.seeds, bench.objectives),
        chosen_again=chosen_command(plan, chosen.settings) if chosen else "",
        space_file=as_toml(bench.space),
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


def _keep(found: Sweep, parent: Parent, status: Status | None) -> str:
    """Keep what was found in the parent, close it as `status` or leave it; return its id."""
    tracker = parent.taken_up()
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
    logbook = Logbook(parent.plan, tracker, log_pictures=False)
    logbook.table("scores/trials.csv", pd.DataFrame(lines))
    tracker.keep("sweep.json", json.dumps(found.as_json(), indent=1).encode())
    tracker.keep("sweep.html", as_page(found).encode())
    tracker.keep(SPACE_FILE, found.space_file.encode())
    if any(one.state in {"complete", "stopped"} for one in found.trials):
        tracker.keep("figures/history.png", draw_history(found))
    if found.importance:
        tracker.keep("figures/importance.png", draw_importance(found))
    if found.front:
        tracker.keep("figures/front.png", draw_front(found))
    chosen = found.conclusion
    words = [f"chosen: {found.trial(chosen.number).words()}" if chosen else "", *found.notes]
    tracker.tag({NOTE_TAG: "\n\n".join(filter(None, words))})
    return tracker.leave() if status is None else tracker.finish(status)
