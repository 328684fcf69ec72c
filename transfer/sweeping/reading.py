"""What a study knows, in our words: its trials, the best of them, and what mattered."""

import json
import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from transfer.sweeping.result import Conclusion, Objective, Repeat, State, Trial
from transfer.sweeping.space import Space
from transfer.sweeping.study import ERROR, is_surplus, value_of

RUN, RUN_ID, CONCLUSION = "run", "run_id", "conclusion"
"""Attributes of a trial: its run, and what was concluded."""

CHOICE = "choice"
"""Attribute of a study: which trial was chosen, and its repeats, before anything is tested."""

_FEWEST = 4
"""Trials from which on what mattered is guessed at all."""

_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "lost",
    TrialState.RUNNING: "under way",
    TrialState.WAITING: "queued",
}


def read_trials(study: optuna.Study, space: Space) -> list[Trial]:
    """Return every trial of `study` by number, but for those that were never begun."""
    return [_read(one, space) for one in study.get_trials(deepcopy=False) if not is_surplus(one)]


def ranked(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return the complete trials that none beats in every objective, by the first, best first.

    Of a single objective these are all complete trials.
    """
    known = [one for one in trials if one.state == "complete"]
    if len(objectives) > 1:
        known = [one for one in known if not any(_beats(o, one, objectives) for o in known)]
    sign = 1 if objectives[0].lower_is_better else -1
    return sorted(known, key=lambda one: (sign * one.values[0], one.number))


def importance(study: optuna.Study, space: Space) -> dict[str, float]:
    """Return what share of the variation of the first objective each setting explains.

    By fANOVA (Hutter, Hoos and Leyton-Brown 2014): a forest over the complete trials. Of few of
    them, or where one setting alone is varied, there is nothing to say.
    """
    done = [one for one in study.get_trials(deepcopy=False) if one.state is TrialState.COMPLETE]
    firsts = {one.values[0] for one in done}
    if len(done) < _FEWEST or len(firsts) < _FEWEST - 1 or len(space) < 2:  # noqa: PLR2004
        return {}
    several = len(study.directions) > 1
    shares = get_param_importances(
        study,
        evaluator=FanovaImportanceEvaluator(seed=0),
        target=(lambda trial: float(trial.values[0])) if several else None,
    )
    return {name: float(share) for name, share in shares.items()}


def usual_seconds(study: optuna.Study) -> float:
    """Return how long a trial of `study` takes, the median; 0 before there was one."""
    times = [
        one.duration.total_seconds()
        for one in study.get_trials(deepcopy=False)
        if one.state in {TrialState.COMPLETE, TrialState.PRUNED} and one.duration is not None
    ]
    return median(times) if times else 0.0


def is_closed(study: optuna.Study, concluding: optuna.Study) -> bool:
    """Say whether no more trials may be begun, for somebody chooses among them or has done so."""
    states = {one.state for one in concluding.get_trials(deepcopy=False)}
    return CHOICE in study.user_attrs or bool(states & {TrialState.RUNNING, TrialState.COMPLETE})


def why_not_concluded(concluding: optuna.Study) -> str:
    """Return what went wrong with the run of the chosen settings, or ""."""
    known = (one.user_attrs.get(ERROR, "") for one in concluding.get_trials(deepcopy=False))
    return next(filter(None, known), "")


def read_repeats(kept: Sequence[Mapping[str, Any]]) -> tuple[Repeat, ...]:
    """Return repeats from what JSON made of them."""
    return tuple(Repeat(one["number"], tuple(one["values"]), one["mean"]) for one in kept)


def read_conclusion(study: optuna.Study) -> Conclusion | None:
    """Return what was concluded in a study that holds nothing else; None if nothing was yet."""
    for one in study.get_trials(deepcopy=False):
        if one.state is TrialState.COMPLETE and CONCLUSION in one.user_attrs:
            kept = json.loads(one.user_attrs[CONCLUSION])
            return Conclusion(repeats=read_repeats(kept.pop("repeats")), **kept)
    return None


def _read(one: FrozenTrial, space: Space) -> Trial:
    kept, state = one.user_attrs, _STATES[one.state]
    values = tuple(one.values) if one.state is TrialState.COMPLETE else ()
    about = str(kept.get(ERROR, ""))
    if state == "lost" and about:
        state = "failed"
    elif state == "lost":
        about = "its process was lost or interrupted; the same settings are tried again"
    if state == "stopped" and one.intermediate_values:
        last = max(one.intermediate_values)
        values, about = (one.intermediate_values[last],), f"stopped after epoch {last}"
    return Trial(
        number=one.number,
        state=state,
        settings={name: value_of(space, name, kept) for name, kept in one.params.items()},
        values=values,
        run=str(kept.get(RUN, "")),
        run_id=str(kept.get(RUN_ID, "")),
        about=about,
    )


def _beats(other: Trial, one: Trial, objectives: Sequence[Objective]) -> bool:
    """Say whether `other` is nowhere worse than `one`, and somewhere better."""
    signs = [-1 if objective.lower_is_better else 1 for objective in objectives]
    ahead = [s * (a - b) for s, a, b in zip(signs, other.values, one.values, strict=True)]
    return all(by >= 0 for by in ahead) and any(by > 0 for by in ahead) and not _undefined(other)


def _undefined(one: Trial) -> bool:
    return any(math.isnan(value) for value in one.values)
