"""Who is at work on a study, so that the last one can tell that it is the last."""

from collections.abc import Callable

import optuna
from optuna.storages import fail_stale_trials
from optuna.trial import Trial, TrialState

from transfer.sweeping.study import done_and_under_way

_TRIALS = "trials"


def at_work(workers: optuna.Study, trials: int, work: Callable[[], None]) -> None:
    """Do `work`, and count meanwhile as one who is at work.

    Args:
        workers: a study of which each trial is a worker, for trials give signs of life.
        trials: how many this one was asked for.
        work: what it does.
    """
    is_done = False

    def shift(trial: Trial) -> float:
        nonlocal is_done
        trial.set_user_attr(_TRIALS, trials)
        work()
        is_done = True
        return 0.0

    try:
        workers.optimize(shift, n_trials=1)
    except (ValueError, AssertionError):  # Optuna's, where others took this one for lost
        if not is_done:
            raise


def busy(workers: optuna.Study, study: optuna.Study) -> int:
    """Return how many have trials of `study` to carry out, or to begin."""
    wished = _wished(workers)
    done, under_way = done_and_under_way(study)
    return len(wished) if under_way else sum(trials > done for trials in wished)


def anybody(workers: optuna.Study) -> bool:
    """Say whether someone is at work, if only waiting for others."""
    return bool(_wished(workers))


def _wished(workers: optuna.Study) -> list[int]:
    """Return of each who is at work how many trials it was asked for."""
    fail_stale_trials(workers)
    known = workers.get_trials(deepcopy=False)
    return [int(one.user_attrs[_TRIALS]) for one in known if _is_at_work(one)]


def _is_at_work(one: optuna.trial.FrozenTrial) -> bool:
    return one.state is TrialState.RUNNING and _TRIALS in one.user_attrs
