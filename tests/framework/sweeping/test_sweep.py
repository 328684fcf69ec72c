"""Sweeps on two dozen pictures: made-up runs, and one of a tiny network."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest

from transfer.assembly import Place, Watch
from transfer.errors import ManifestError, TrainingError
from transfer.experiment import RunResult, run
from transfer.finetuning.ending import Stopped
from transfer.finetuning.training import EpochLog
from transfer.overlay import Layer, settle
from transfer.plan import Plan
from transfer.progress import Silent
from transfer.sweeping.result import Objective, Sweep
from transfer.sweeping.space import Choice, Range
from transfer.sweeping.study import open_study
from transfer.sweeping.sweep import Studies, Wishes, carry_out
from transfer.sweeping.trials import Bench
from transfer.tracking.tracker import STOPPED_TAG

pytestmark = pytest.mark.usefixtures("own_caches", "no_figures")
SPACE = {"lr": Range(1e-4, 1e-2, log=True), "training.ema": Choice({"0.0": 0.0, "0.9": 0.9})}


@dataclass
class Made:
    """Makes up what runs find: the nearer the learning rate is to 1e-3, the better."""

    headline: str
    luck: float = 0.0
    ends: Mapping[int, Any] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)

    def run(self, plan: Plan, watch: Watch) -> RunResult:
        self.plans.append(plan)
        recipe = plan.settled.recipe
        assert isinstance(recipe.lr, float)
        value = 1 - abs(recipe.lr - 1e-3) * 50 - self.luck * (recipe.seed > 0)
        status = self.ends.get(len(self.plans) - 1, "FINISHED")
        if isinstance(status, Exception):
            raise status
        ended = "completed"
        try:
            for epoch in (1, 2):
                watch(EpochLog(epoch, 0.1, 0.1, 1.0, {self.headline: value}, improved=True))
        except Stopped as stopped:
            status, ended = "KILLED", f"stopped: {stopped}"
        test = {self.headline: value - 0.1} if len(plan.manifest.numbers("test")) else {}
        val = {self.headline: value} if status != "KILLED" else {}
        return RunResult(plan.name, plan.name, "demo", status, ended, "0", 2, val, test)


@pytest.fixture(autouse=True)
def _draw_little(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("history", "importance", "front"):
        monkeypatch.setattr(f"transfer.sweeping.sweep.draw_{name}", lambda _: b"drawn")
    monkeypatch.setattr("transfer.sweeping.sweep.importance", lambda *_: {"lr": 1.0})


@pytest.fixture
def base(planned: Callable[..., Plan]) -> Plan:
    return replace(planned(split={"val": 0.3, "test": 0.3}), name="s")


@pytest.fixture
def made(base: Plan) -> Made:
    return Made(base.headline)


@pytest.fixture
def bench(base: Plan, made: Made) -> Bench:
    def replan(settings: Mapping[str, Any]) -> Plan:
        return replace(base, settled=settle(base.settled.recipe, [Layer("sweep", settings)]))

    return Bench(base, replan, made.run, SPACE, (Objective(base.headline),), Silent())


@pytest.fixture
def swept(url: str, recorder: Any) -> Callable[..., Sweep]:
    """Sweep with a bench, in a study of that name."""

    def swept(bench: Bench, wishes: Wishes, name: str = "s", tracker: Any = None) -> Sweep:
        directions = [objective.direction for objective in bench.objectives]
        studies = Studies(
            open_study(url, name, directions),
            lambda: open_study(url, f"{name}: conclusion", directions[:1]),
            url,
        )
        return carry_out(bench, studies, wishes, tracker or recorder)

    return swept


def test_trials_are_judged_on_val_and_the_chosen_one_alone_is_tested(
    swept: Callable[..., Sweep], bench: Bench, made: Made, recorder: Any
) -> None:
    found = swept(bench, Wishes(5))
    *trials, last = made.plans
    assert not any(len(plan.manifest.numbers("test")) for plan in trials)
    assert last.name == "s-chosen"
    assert len(last.manifest.numbers("test")) > 0
    assert {plan.parent for plan in made.plans} == {"recorded"}
    done = [one for one in found.trials if one.state == "complete"]
    best = max(done, key=lambda one: one.first)
    assert found.conclusion is not None
    assert found.conclusion.number == best.number
    assert last.settled.recipe.lr == best.settings["lr"]
    assert found.conclusion.test[made.headline] == pytest.approx(best.first - 0.1)
    assert recorder.run.tags["transfer.study"] == "s"
    table = pd.read_csv(io.BytesIO(recorder.files["scores/trials.csv"]))
    assert table["lr"].tolist() == [one.settings["lr"] for one in found.trials]
    assert recorder.files["figures/history.png"] == b"drawn"
    assert json.loads(recorder.files["sweep.json"])["conclusion"]["number"] == best.number


def test_a_concluded_study_is_told_again_and_not_tested_again(
    swept: Callable[..., Sweep], bench: Bench, made: Made, told: Any
) -> None:
    first = swept(bench, Wishes(2))
    runs = len(made.plans)
    again = swept(replace(bench, progress=told), Wishes(9))
    assert len(made.plans) == runs
    assert again.conclusion == first.conclusion
    assert "take another --name" in told.notes[0]


def test_on_other_seeds_the_luckiest_may_lose(
    swept: Callable[..., Sweep], bench: Bench, made: Made
) -> None:
    found = swept(bench, Wishes(3, seeds=3))
    seeds = [plan.settled.recipe.seed for plan in made.plans[3:]]
    assert seeds == [1, 2] * 3 + [0]
    assert found.conclusion is not None
    repeats = found.conclusion.repeats
    assert len(repeats) == 3
    assert repeats[0].number == found.conclusion.number
    assert [one.mean for one in repeats] == sorted((one.mean for one in repeats), reverse=True)
    assert not any("luck" in note for note in found.notes)


def test_a_trial_that_diverges_is_no_candidate(
    swept: Callable[..., Sweep], bench: Bench, made: Made
) -> None:
    made.ends = {0: TrainingError("the loss became nan"), 1: "FAILED"}
    found = swept(bench, Wishes(3))
    assert [one.state for one in found.trials] == ["failed", "failed", "complete"]
    assert found.conclusion is not None
    assert found.conclusion.number == 2


def test_where_nothing_came_of_any_trial_the_last_reason_is_said(
    swept: Callable[..., Sweep], bench: Bench, made: Made
) -> None:
    made.ends = {0: TrainingError("one"), 1: TrainingError("the loss became nan")}
    found = swept(bench, Wishes(2))
    assert found.conclusion is None
    assert "the loss became nan" in found.notes[0]


def test_an_interrupted_sweep_goes_on_and_tries_the_same_again(
    swept: Callable[..., Sweep], bench: Bench, made: Made, recorder: Any
) -> None:
    made.ends = {1: "KILLED"}
    found = swept(bench, Wishes(2))
    assert found.ended.startswith("interrupted")
    assert recorder.status == "KILLED"
    found = swept(bench, Wishes(2))
    assert [one.state for one in found.trials] == ["complete", "lost", "complete"]
    assert found.trials[2].settings == found.trials[1].settings
    assert found.conclusion is not None


def test_settings_that_change_the_rows_are_refused(
    swept: Callable[..., Sweep], bench: Bench, planned: Callable[..., Plan]
) -> None:
    other = planned(split={"val": 0.4, "test": 0.3})
    with pytest.raises(ManifestError, match="changes which rows there are"):
        swept(replace(bench, replan=lambda _: other), Wishes(1))


def test_an_objective_that_is_no_score_is_refused_with_those_there_are(
    swept: Callable[..., Sweep], bench: Bench
) -> None:
    with pytest.raises(ManifestError, match="there are balanced_accuracy, parameters, macs"):
        swept(replace(bench, objectives=(Objective("accuracies"),)), Wishes(1))


def test_of_several_objectives_the_first_one_chooses_among_those_none_beats(
    swept: Callable[..., Sweep], bench: Bench, recorder: Any
) -> None:
    both = (*bench.objectives, Objective("parameters", lower_is_better=True))
    found = swept(replace(bench, objectives=both), Wishes(3))
    assert found.conclusion is not None
    assert found.front == (found.conclusion.number,)  # all cost the same
    assert recorder.files["figures/front.png"] == b"drawn"


def test_a_run_that_falls_behind_is_stopped_marked_and_leaves_no_model(
    base: Plan, recorder: Any, no_run: Callable[[str], Path]
) -> None:
    heard = []

    def watch(log: EpochLog) -> None:
        heard.append(log.epoch)
        raise Stopped("it is behind")

    with TemporaryDirectory() as folder:
        place = Place(no_run, Path(folder).joinpath, watch=watch)
        found = run(replace(base, parent="p"), recorder, Silent(), place, log_pictures=False)
        assert list(Path(folder).iterdir()) == []  # no checkpoint either
    assert heard == [1]
    assert (found.status, found.ended) == ("KILLED", "stopped: it is behind")
    assert (found.val, found.test, recorder.model) == ({}, {}, {})
    assert recorder.status == "KILLED"
    assert recorder.tags[STOPPED_TAG] == "it is behind"


def test_trials_of_a_network_are_real_runs(
    swept: Callable[..., Sweep], bench: Bench, recorder: Any, no_run: Callable[[str], Path]
) -> None:
    records = []

    def real(plan: Plan, watch: Watch) -> RunResult:
        records.append(type(recorder)())
        with TemporaryDirectory() as folder:
            place = Place(no_run, Path(folder).joinpath, watch=watch)
            carry = partial(run, log_pictures=False)
            return carry(plan, records[-1], Silent(), place)

    found = swept(replace(bench, run=real), Wishes(2))
    assert [one.state for one in found.trials] == ["complete", "complete"]
    chosen = found.conclusion
    assert chosen is not None
    # The same settings and the same seed give the same network, and so the same answers.
    assert chosen.val[bench.base.headline] == found.trial(chosen.number).first
    assert 0 <= chosen.test[bench.base.headline] <= 1
    assert records[-1].model
