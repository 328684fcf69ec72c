"""A study that many processes work on: which trial is next, and what becomes of a lost one.

Only Optuna is at work here; what a trial does is passed in.
"""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback, fail_stale_trials
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from transfer.errors import RecipeError, StoreError
from transfer.sweeping.space import Choice, Range, Space
from transfer.tracking.door import without_password

HEARTBEAT_SECONDS, _MISSED, _POLL_SECONDS = 20, 3, 2.0
_LOCK_SECONDS = 60
_WARM_UP = 1  # epochs that no trial is stopped in: what is first off says little
_SEEDS_APART = 100_003
_SQLITE = "sqlite:///"

ERROR = "error"
"""Attribute of a trial that came to nothing of itself: why. It is not tried again."""

_SURPLUS = "surplus"
Direction = Literal["minimize", "maximize"]
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)


class Interrupted(KeyboardInterrupt):
    """A person wants this worker to end; its trial goes back into the queue."""


def open_study(
    url: str, name: str, directions: Sequence[Direction], heartbeat_seconds: int = HEARTBEAT_SECONDS
) -> optuna.Study:
    """Return the study called `name` in the database at `url`, made if need be.

    Args:
        url: of the database, as SQLAlchemy takes it; SQLite for one machine.
        name: of the study.
        directions: minimize or maximize, for each objective.
        heartbeat_seconds: between two signs of life of a trial. One that misses three of them is
            marked as failed, and goes back into the queue with the same settings.

    Raises:
        StoreError: the database does not answer, or the package that speaks to it is missing.
        RecipeError: the study has other objectives.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats are new, and tested here
    shown = without_password(url)
    try:
        storage = _storage(url, heartbeat_seconds)
        pruner = optuna.pruners.MedianPruner(n_warmup_steps=_WARM_UP)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=list(directions),
            pruner=pruner,
            load_if_exists=True,
        )
    except (ImportError, NoSuchModuleError) as error:
        raise StoreError(
            f"{shown!r} needs a package that is not installed: {error} PostgreSQL is spoken to by "
            "psycopg: pip install 'psycopg[binary]'"
        ) from error
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"the database at {shown!r} does not answer: {reason}") from error
    if [direction.name.lower() for direction in study.directions] != list(directions):
        raise RecipeError(f"study {name!r} has other objectives; choose another --name")
    return study


def free_name(url: str, wished: str) -> str:
    """Return `wished`, or the first of "wished-2", "wished-3", ... that no study is called yet.

    Raises:
        StoreError: see `open_study`.
    """
    storage = _storage(url, HEARTBEAT_SECONDS)
    taken = set(optuna.get_all_study_names(storage))
    names = (wished if number == 1 else f"{wished}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def agree(study: optuna.Study, facts: Mapping[str, str]) -> None:
    """Keep what a study is about, or refuse to go on with one that is about something else.

    Raises:
        RecipeError: it is, and in what.
    """
    known = study.user_attrs
    differ = [fact for fact, value in facts.items() if known.get(fact, value) != value]
    if differ:
        raise RecipeError(
            f"study {study.study_name!r} was begun with other {', '.join(differ)}; choose another "
            "--name, or take what it was begun with"
        )
    for fact, value in facts.items():
        if fact not in known:
            study.set_user_attr(fact, value)


def work(
    study: optuna.Study,
    objective: Callable[[Trial], Sequence[float]],
    trials: int,
    *,
    seed: int,
    goes_on: Callable[[], bool] = lambda: True,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Carry out trials until the study has so many, together with whoever else works on it.

    Of a trial whose process was lost, the settings are tried again. Where others carry out the last
    ones this process waits for them, and takes over what they lose.

    Args:
        study: whose trials they are.
        objective: trial -> its values; NaN with an attribute `ERROR` where it came to nothing.
        trials: how many the study shall have, stopped ones among them.
        seed: of what is tried; trial n is the same whoever carries it out, as far as it has
            seen the same trials before.
        goes_on: asked before each trial, and once more when its number is taken.
        say: told once that this process waits.

    Raises:
        Interrupted: the objective was; its trial is in the queue again.
    """
    waits = False
    while goes_on():
        fail_stale_trials(study)
        done, under_way = done_and_under_way(study)
        if done >= trials:
            return
        queued = _in(study.get_trials(deepcopy=False), TrialState.WAITING)
        if queued or done + under_way < trials:
            _carry_out_one(study, _Guarded(objective, trials, seed, goes_on), say)
            waits = False
            continue
        if not waits:
            say(f"waiting    for what {under_way} other process(es) carry out")
            waits = True
        time.sleep(_POLL_SECONDS)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Return what a trial tries, by dotted name of the setting."""
    return {name: _suggested(trial, name, axis) for name, axis in space.items()}


def value_of(space: Space, name: str, kept: Any) -> Any:
    """Return the setting that a study keeps as `kept`."""
    axis = space[name]
    return axis.of_text[kept] if isinstance(axis, Choice) else kept


def done_and_under_way(study: optuna.Study) -> tuple[int, int]:
    """Return how many trials that were asked for are over, and how many are being carried out."""
    known = study.get_trials(deepcopy=False)
    return sum(map(_counts, known)), _in(known, TrialState.RUNNING)


def wait_for_others(study: optuna.Study) -> None:
    """Wait until no trial is being carried out; one whose process was lost is queued."""
    fail_stale_trials(study)
    while done_and_under_way(study)[1]:
        time.sleep(_POLL_SECONDS)
        fail_stale_trials(study)


def is_surplus(trial: FrozenTrial) -> bool:
    """Say whether a trial was never begun, since others were as many as were asked for."""
    return _SURPLUS in trial.user_attrs


def _carry_out_one(study: optuna.Study, guarded: "_Guarded", say: Callable[[str], None]) -> None:
    """Carry out the next trial; what comes of one that others took for lost is theirs to say."""
    try:
        study.optimize(guarded, n_trials=1)
    except (ValueError, AssertionError):  # Optuna's, where a trial is told that is over
        history = RetryHeartbeatStaleTrialCallback.retry_history
        if not any(guarded.number in history(one) for one in study.get_trials(deepcopy=False)):
            raise
        say(f"lost       trial {guarded.number} gave no sign of life; it is tried again")


class _Guarded:
    """An objective that is not begun once too often, and is queued again if interrupted."""

    def __init__(
        self,
        objective: Callable[[Trial], Sequence[float]],
        trials: int,
        seed: int,
        goes_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self._objective, self._trials, self._seed = objective, trials, seed
        self._goes_on, self.number = goes_on, -1

    def __call__(self, trial: Trial) -> Sequence[float]:
        study, self.number = trial.study, trial.number
        before = [one for one in study.get_trials(deepcopy=False) if one.number < trial.number]
        live = sum(map(_counts, before)) + _in(before, TrialState.RUNNING, TrialState.WAITING)
        # Two processes asked at once, or the study was closed at this moment.
        if live >= self._trials or not self._goes_on():
            trial.set_user_attr(_SURPLUS, value=True)
            return [float("nan")] * len(study.directions)
        # A state of its own for each trial: workers that start alike would all try the same.
        study.sampler = optuna.samplers.TPESampler(seed=self._seed * _SEEDS_APART + trial.number)
        try:
            return self._objective(trial)
        except Interrupted:
            kept = next(one for one in study.get_trials() if one.number == trial.number)
            RetryHeartbeatStaleTrialCallback()(study, kept)
            raise


@cache
def _storage(url: str, heartbeat_seconds: int) -> RDBStorage:
    def make() -> RDBStorage:
        wait: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith(_SQLITE):
            wait["connect_args"] = {"timeout": 60}  # seconds; others may be writing
        return RDBStorage(
            url,
            engine_kwargs=wait,
            heartbeat_interval=heartbeat_seconds,
            grace_period=_MISSED * heartbeat_seconds,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(),
        )

    if not url.startswith(_SQLITE):
        try:
            return make()
        except SQLAlchemyError:  # another process made the tables at the same time
            return make()
    place = Path(url.removeprefix(_SQLITE))
    lock = FileLock(place.with_name(f"{place.name}.lock"), timeout=_LOCK_SECONDS)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with lock:  # tables are made by one at a time
            return make()
    except (OSError, Timeout) as error:
        raise StoreError(f"a study cannot be kept in {str(place)!r}: {error}") from error


def _suggested(trial: Trial, name: str, axis: Range | Choice) -> Any:
    if isinstance(axis, Choice):
        return axis.of_text[trial.suggest_categorical(name, list(axis.of_text))]
    if axis.whole:
        step = round(axis.step or 1)
        return trial.suggest_int(name, round(axis.low), round(axis.high), step=step, log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, step=axis.step, log=axis.log)


def _counts(trial: FrozenTrial) -> bool:
    """Say whether a trial is one of those that were asked for."""
    return trial.state in _DONE or (trial.state is TrialState.FAIL and ERROR in trial.user_attrs)


def _in(trials: Sequence[FrozenTrial], *states: TrialState) -> int:
    return sum(trial.state in states for trial in trials)
