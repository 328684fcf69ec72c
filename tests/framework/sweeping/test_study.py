"""Studies in a SQLite file; what is lost by one process is taken over by another."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

from transfer.errors import RecipeError, StoreError
from transfer.sweeping import study as module
from transfer.sweeping.reading import importance, ranked, read_trials, usual_seconds
from transfer.sweeping.result import Objective
from transfer.sweeping.space import Choice, Range
from transfer.sweeping.study import ERROR, Interrupted, agree, free_name, open_study, suggest, work

SPACE = {
    "x": Range(0, 1),
    "y": Choice({"true": True, "false": False}),
    "n": Range(1, 9, whole=True),
}
WORKER = Path(__file__).with_name("worker.py")
POSTGRESQL = os.environ.get("TRANSFER_TEST_POSTGRESQL", "")


@pytest.fixture
def study(url: str) -> optuna.Study:
    return open_study(url, "s", ["maximize"])


def objective(trial: optuna.Trial) -> list[float]:
    settings = suggest(trial, SPACE)
    return [settings["x"] + settings["y"]]


def test_a_study_has_as_many_trials_as_asked_for_and_goes_on_to_more(
    study: optuna.Study, url: str
) -> None:
    work(study, objective, 3, seed=0)
    work(study, objective, 3, seed=0)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    again = open_study(url, "s", ["maximize"])
    work(again, objective, 5, seed=0)
    assert len(again.trials) == 5


def test_a_study_that_was_left_goes_on_with_the_trials_it_would_have_had(url: str) -> None:
    whole, parts = (open_study(url, name, ["maximize"]) for name in ("whole", "parts"))
    work(whole, objective, 12, seed=3)  # from the eleventh on they depend on those before
    work(parts, objective, 4, seed=3)
    work(open_study(url, "parts", ["maximize"]), objective, 12, seed=3)
    assert [t.params for t in whole.trials] == [t.params for t in parts.trials]
    work(other := open_study(url, "other", ["maximize"]), objective, 1, seed=4)
    assert other.trials[0].params != whole.trials[0].params


def test_workers_that_start_alike_try_other_settings(study: optuna.Study) -> None:
    work(study, objective, 6, seed=0)
    assert len({trial.params["x"] for trial in study.trials}) == 6


def test_what_fails_of_itself_counts_and_is_not_tried_again(study: optuna.Study) -> None:
    def fails(trial: optuna.Trial) -> list[float]:
        suggest(trial, SPACE)
        trial.set_user_attr(ERROR, "the loss became nan")
        return [math.nan]

    work(study, fails, 2, seed=0)
    failed = read_trials(study, SPACE)
    assert [one.state for one in failed] == ["failed", "failed"]
    assert failed[0].about == "the loss became nan"


def test_a_trial_that_a_person_interrupts_goes_back_into_the_queue(study: optuna.Study) -> None:
    tried = []

    def interrupted(trial: optuna.Trial) -> list[float]:
        tried.append(suggest(trial, SPACE))
        if len(tried) == 1:
            raise Interrupted
        return [0.5]

    with pytest.raises(Interrupted):
        work(study, interrupted, 1, seed=0)
    work(study, interrupted, 1, seed=0)
    assert tried[1] == tried[0]
    assert [one.state for one in read_trials(study, SPACE)] == ["lost", "complete"]


def test_a_bug_is_not_swallowed(study: optuna.Study) -> None:
    def broken(_: optuna.Trial) -> list[float]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work(study, broken, 1, seed=0)


def test_one_that_two_processes_asked_for_at_once_is_not_begun(study: optuna.Study) -> None:
    study.add_trial(optuna.create_trial(value=0.5, params={}, distributions={}))
    guarded = module._Guarded(objective, 1, seed=0)
    study.optimize(guarded, n_trials=1)
    assert [trial.params for trial in study.trials] == [{}, {}]
    assert len(read_trials(study, SPACE)) == 1


def test_one_that_others_took_for_lost_is_theirs(study: optuna.Study) -> None:
    said: list[str] = []

    def asleep(trial: optuna.Trial) -> list[float]:
        suggest(trial, SPACE)
        if trial.number == 0:  # as fail_stale_trials does in another process
            (kept,) = study.get_trials()
            study._storage.set_trial_state_values(kept._trial_id, TrialState.FAIL)
            RetryHeartbeatStaleTrialCallback()(study, kept)
        return [0.5]

    work(study, asleep, 1, seed=0, say=said.append)
    first, second = read_trials(study, SPACE)
    assert (first.state, second.state) == ("lost", "complete")
    assert second.settings == first.settings
    assert said[0].startswith("lost       trial 0")


def test_without_time_nothing_is_begun(study: optuna.Study) -> None:
    work(study, objective, 3, seed=0, goes_on=lambda: False)
    assert study.trials == []
    assert usual_seconds(study) == 0


def test_a_study_about_something_else_is_refused(study: optuna.Study, url: str) -> None:
    agree(study, {"data": "1", "space": "x"})
    agree(study, {"data": "1", "space": "x"})
    with pytest.raises(RecipeError, match="begun with other data; choose another --name"):
        agree(study, {"data": "2", "space": "x"})
    with pytest.raises(RecipeError, match="other objectives"):
        open_study(url, "s", ["minimize"])


def test_a_name_that_is_taken_gets_a_number(study: optuna.Study, url: str) -> None:
    assert (free_name(url, "s"), free_name(url, "t")) == ("s-2", "t")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense://me:secret@host/db", "needs a package"),
        ("no url", "does not answer"),
        (f"sqlite:///{__file__}/studies.db", "cannot be kept in"),
    ],
)
def test_a_database_that_is_none_is_said_without_the_password(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as refused:
        open_study(url, "s", ["maximize"])
    assert "secret" not in str(refused.value)


def test_the_best_are_ranked_and_of_several_objectives_none_beats_them(url: str) -> None:
    study = open_study(url, "two", ["maximize", "minimize"])
    points = [(0.9, 10.0), (0.8, 2.0), (0.7, 5.0), (0.9, 12.0), (0.5, 1.0)]
    for point in points:
        study.add_trial(optuna.create_trial(values=point, params={}, distributions={}))
    wanted = (Objective("score"), Objective("cost", lower_is_better=True))
    best = ranked(read_trials(study, {}), wanted)
    assert [one.values for one in best] == [(0.9, 10.0), (0.8, 2.0), (0.5, 1.0)]
    assert {one.number for one in best} == {trial.number for trial in study.best_trials}


def test_what_moves_the_objective_is_what_mattered(study: optuna.Study) -> None:
    def by_y(trial: optuna.Trial) -> list[float]:
        settings = suggest(trial, SPACE)
        return [float(settings["y"]) + 0.01 * settings["x"]]

    work(study, by_y, 10, seed=0)
    shares = importance(study, SPACE)
    assert max(shares, key=lambda name: shares[name]) == "y"
    assert sum(shares.values()) == pytest.approx(1)


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    def start(url: str, trials: int, sleeps: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, WORKER, url, "shared", tmp_path, str(trials), str(sleeps)]
        return subprocess.Popen(command)

    return start


@pytest.mark.slow
@pytest.mark.parametrize(
    "database",
    [
        "sqlite",
        pytest.param(
            "postgresql",
            marks=pytest.mark.skipif(not POSTGRESQL, reason="no TRANSFER_TEST_POSTGRESQL is set"),
        ),
    ],
)
def test_what_a_killed_worker_leaves_is_done_by_the_others_and_nothing_is_lost(
    database: str, tmp_path: Path, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    url = POSTGRESQL if database == "postgresql" else f"sqlite:///{tmp_path}/studies.db"
    lost = start(url, 5, 600)  # it never ends of itself
    while not (begun := [path.name for path in tmp_path.glob("0 *")]):
        assert lost.poll() is None
        time.sleep(0.05)
    lost.send_signal(signal.SIGKILL)
    other = start(url, 5, 0.1)
    study = open_study(url, "shared", ["maximize"], heartbeat_seconds=1)
    work(study, lambda trial: [trial.suggest_float("x", 0, 1)], 5, seed=0)  # the third one
    assert other.wait(timeout=60) == 0
    lost.wait()
    trials = read_trials(study, {"x": Range(0, 1)})
    done = [one for one in trials if one.state == "complete"]
    assert [one.number for one in trials if one.state == "lost"] == [0]
    assert len(done) == 5
    again = [one.settings["x"] for one in done]
    assert float(begun[0].split()[1]) in again  # with the settings it had
    assert len(set(again)) == 5
