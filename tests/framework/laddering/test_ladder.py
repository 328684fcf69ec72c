"""Ladders on two dozen pictures: the starter's probe and a tiny network from nothing."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transfer.errors import MeasuringError, RecipeError, WeightsError
from transfer.experiment import RunResult
from transfer.laddering.attempts import Means, Wishes
from transfer.laddering.choosing import Limits
from transfer.laddering.footprint import Footprint
from transfer.laddering.ladder import climb
from transfer.laddering.page import as_page
from transfer.laddering.rungs import Rung
from transfer.plan import Plan
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.predictions import Predictions
from transfer.scoring.intervals import Score
from transfer.shipping.evaluation import Evaluation
from transfer.tracking.tracker import NOTE_TAG, TEST_TAG

pytestmark = pytest.mark.usefixtures("own_caches")
SMALL = Rung("small", "resnet10t", "starter", "starter")
MIDDLE = Rung("middle", "resnet18.tv_in1k", "hub", "tv_in1k")
LARGE = Rung("large", "resnet50.tv_in1k", "hub", "tv_in1k")
TWIN = Rung("twin from scratch", "test_resnet", "none")
ABSENT = Rung("absent", "resnet34.tv_in1k", "hub", "tv_in1k", missing="no weights of it here")
MS = {"resnet10t": 1.0, "resnet18.tv_in1k": 2.0, "resnet50.tv_in1k": 8.0, "test_resnet": 0.5}
PROBES = {"resnet10t": 0.6, "resnet18.tv_in1k": 0.7, "resnet50.tv_in1k": 0.8, "test_resnet": 0.3}


def measure(backbone: str, _: Recipe) -> Footprint:
    """Say that one picture takes so long, 32 take ten times that, and training 2 images/s."""
    ms = MS[backbone]
    return Footprint(round(1e6 * ms), 10**9, ms, 10 * ms, 500, 2.0, 900)


@dataclass
class Made:
    """Makes up what runs find: a fine-tune gains 0.05 over the probe."""

    plan: Plan
    ends: Mapping[str, str] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)
    judged: list[str] = field(default_factory=list)
    rights: Mapping[str, float] = field(default_factory=dict)

    def run(self, plan: Plan) -> RunResult:
        self.plans.append(plan)
        recipe = plan.settled.recipe
        status: Any = self.ends.get(recipe.backbone, "FINISHED")
        value = PROBES[recipe.backbone] + 0.05 * (recipe.strategy == "lp-ft")
        val = {plan.headline: value, f"{plan.headline}_low": value - 0.1}
        val[f"{plan.headline}_high"] = value + 0.1
        said = {"val": self.say(self.rights.get(recipe.backbone, value))}
        return RunResult(
            plan.name, plan.name, "demo", status, "for a reason", "0", 1, val, {}, said
        )

    def say(self, right: float) -> Predictions:
        """Say so large a share of the val rows right, the first ones."""
        numbers = self.plan.manifest.numbers("val")
        targets = np.arange(len(numbers)) % 2
        says = np.where(np.arange(len(numbers)) < round(right * len(numbers)), targets, 1 - targets)
        probabilities = np.eye(2, dtype=np.float32)[says]
        return Predictions(
            classes=self.plan.manifest.classes,
            keys=numbers.astype(np.str_),
            groups=np.arange(len(numbers)),
            targets=targets,
            probabilities=probabilities,
        )

    def judge(self, result: RunResult, plan: Plan) -> Evaluation:
        self.judged.append(result.run_id)
        scores = {plan.headline: Score(0.5, 0.4, 0.6, "")}
        said = self.say(0.5)
        return Evaluation(len(said), scores, pd.DataFrame(), said)

    @property
    def tried(self) -> list[tuple[str, str]]:
        recipes = [plan.settled.recipe for plan in self.plans]
        return [(recipe.backbone.partition(".")[0], recipe.strategy.value) for recipe in recipes]


@pytest.fixture(autouse=True)
def _draw_little(no_figures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ladder", "page"):
        monkeypatch.setattr(f"transfer.laddering.{module}.pareto", lambda *_: b"drawn")
    monkeypatch.setattr("transfer.comparing.head_to_head.REPLICATES", 99)


@pytest.fixture
def plan(planned: Callable[..., Plan]) -> Plan:
    return replace(planned(strategy="lp-ft", epochs=1, split={"val": 0.3, "test": 0.3}), name="l")


@pytest.fixture
def made(plan: Plan) -> Made:
    return Made(plan)


@pytest.fixture
def means(made: Made, recorder: Any) -> Means:
    return Means(made.run, measure, made.judge, recorder, Silent())


def test_all_are_probed_and_the_most_promising_fine_tuned(
    plan: Plan, made: Made, means: Means
) -> None:
    found = climb(plan, [SMALL, MIDDLE, ABSENT, LARGE], Wishes(finetune=2), means)
    assert made.tried == [
        ("resnet10t", "probe"), ("resnet18", "probe"), ("resnet50", "probe"),
        ("resnet50", "lp-ft"), ("resnet18", "lp-ft"),
    ]  # fmt: skip
    assert found.chosen == "large"
    assert found.recommendation.startswith("take large by lp-ft: 0.850 [0.750, 0.950]")


def test_every_run_is_part_of_the_ladder_on_the_same_rows_without_test(
    plan: Plan, made: Made, means: Means, recorder: Any
) -> None:
    climb(plan, [SMALL, LARGE], Wishes(), means)
    assert recorder.run.name == "l"
    assert {run.parent for run in made.plans} == {"recorded"}
    assert len({run.manifest.digest() for run in made.plans}) == 1
    assert not len(made.plans[0].manifest.numbers("test"))
    assert {run.settled.recipe.size for run in made.plans} == {plan.settled.recipe.size}


def test_test_is_looked_at_once_and_by_the_chosen_alone(
    plan: Plan, made: Made, means: Means, recorder: Any
) -> None:
    found = climb(plan, [SMALL, LARGE, TWIN], Wishes(), means)
    assert made.judged == ["l-resnet50.tv_in1k-probe"]
    assert found.test == {
        "balanced_accuracy": 0.5, "balanced_accuracy_low": 0.4, "balanced_accuracy_high": 0.6,
    }  # fmt: skip
    assert recorder.numbers["test/balanced_accuracy", 0] == 0.5
    assert recorder.tags[TEST_TAG] == plan.manifest.digest("test")
    assert recorder.tags[NOTE_TAG].startswith(found.recommendation)
    assert recorder.status == "FINISHED"


def test_limits_decide_who_is_recommended_and_fine_tuned(
    plan: Plan, made: Made, means: Means
) -> None:
    wishes = Wishes(Limits(latency_ms=2), finetune=1)
    found = climb(plan, [SMALL, MIDDLE, LARGE], wishes, means)
    assert made.tried[-1] == ("resnet18", "lp-ft")
    assert found.chosen == "middle"
    nobody = climb(plan, [SMALL], Wishes(Limits(latency_ms=0.1)), means)
    assert nobody.chosen is None
    assert not nobody.test
    assert len(made.judged) == 1


def test_nothing_is_begun_that_does_not_fit_into_the_budget(
    plan: Plan, made: Made, means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    # At 2 images/s an epoch of 10 rows takes 5 s: 6.25 s and little more, with a quarter for luck.
    assert len(plan.manifest.numbers("train")) == 10
    clock = [0.0]
    monkeypatch.setattr("transfer.laddering.attempts.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("transfer.budget.Budget.spent", property(lambda _: clock[0]))

    def run(plan: Plan) -> RunResult:
        clock[0] += 7.0 if plan.settled.recipe.strategy == "lp-ft" else 0.1
        return made.run(plan)

    timed = replace(means, run_one=run)
    found = climb(plan, [SMALL, MIDDLE, LARGE], Wishes(budget_seconds=15), timed)
    assert made.tried[3:] == [("resnet50", "lp-ft"), ("resnet18", "lp-ft")]
    small = found.climbed[0]
    assert small.notes[0].startswith("no lp-ft: 1 s left, and it would take about 7 s")


def test_one_from_scratch_is_trained_and_never_probed(plan: Plan, made: Made, means: Means) -> None:
    climb(plan, [SMALL, TWIN], Wishes(finetune=5), means)
    assert made.tried == [
        ("resnet10t", "probe"),
        ("test_resnet", "scratch"),
        ("resnet10t", "lp-ft"),
    ]


def test_what_cannot_be_measured_or_downloaded_takes_nobody_with_it(
    plan: Plan, made: Made, means: Means
) -> None:
    def fails(backbone: str, recipe: Recipe) -> Footprint:
        if backbone == LARGE.backbone:
            raise MeasuringError("no room")
        return measure(backbone, recipe)

    def away(plan: Plan) -> RunResult:
        if plan.settled.recipe.backbone == MIDDLE.backbone:
            raise WeightsError("no hub")
        return made.run(plan)

    found = climb(
        plan, [SMALL, MIDDLE, LARGE], Wishes(), replace(means, measure=fails, run_one=away)
    )
    assert [one.notes for one in found.climbed] == [(), ("probe: no hub",), ("no room",)]
    assert found.chosen == "large"


def test_one_that_diverges_is_said_and_an_interrupted_one_ends_the_ladder(
    plan: Plan, made: Made, means: Means, recorder: Any
) -> None:
    made.ends = {"resnet10t": "FAILED"}
    found = climb(plan, [SMALL, LARGE], Wishes(), means)
    assert found.climbed[0].notes == ("probe: for a reason",)
    assert found.chosen == "large"
    made.ends, made.judged, made.plans = {"resnet10t": "KILLED"}, [], []
    found = climb(plan, [SMALL, LARGE], Wishes(), means)
    assert found.ended == "for a reason"
    assert len(made.plans) == 1
    assert made.judged == []
    assert recorder.status == "KILLED"


@pytest.mark.parametrize(
    ("rights", "words"),
    [
        ((0.9, 0.9, 1.0), "small may do as well, 1 ms a picture, 1.0 M parameters. No difference"),
        ((0.0, 0.0, 1.0), "the 2 that are faster and that nobody beats are worse; the nearest: "),
        ((0.0, 1.0, 1.0), "middle may do as well, 2 ms a picture, 2.0 M parameters. No difference"),
    ],
)
def test_the_fastest_that_does_as_well_is_named(
    plan: Plan, made: Made, means: Means, rights: tuple[float, ...], words: str
) -> None:
    backbones = (SMALL.backbone, MIDDLE.backbone, LARGE.backbone)
    made.rights = dict(zip(backbones, rights, strict=True))
    found = climb(plan, [LARGE, SMALL, MIDDLE, ABSENT], Wishes(), means)
    assert found.chosen == "large"
    assert found.lead.startswith(words)


def test_where_nothing_is_faster_nothing_is_compared(plan: Plan, means: Means) -> None:
    assert climb(plan, [SMALL, ABSENT], Wishes(), means).lead == ""


def test_an_interrupt_between_runs_keeps_what_was_finished(
    plan: Plan, made: Made, means: Means, recorder: Any
) -> None:
    def run(plan: Plan) -> RunResult:
        if plan.settled.recipe.backbone == LARGE.backbone:
            raise KeyboardInterrupt
        return made.run(plan)

    found = climb(plan, [SMALL, LARGE], Wishes(), replace(means, run_one=run))
    assert (found.ended, found.chosen, made.judged) == ("interrupted", "small", [])
    assert recorder.status == "KILLED"
    assert len(pd.read_csv(io.BytesIO(recorder.files["scores/ladder.csv"]))) == 2


def test_without_time_nothing_is_measured_and_that_is_said(plan: Plan, means: Means) -> None:
    found = climb(plan, [SMALL, LARGE], Wishes(budget_seconds=1e-9), means)
    assert [one.footprint for one in found.climbed] == [None, None]
    (note,) = found.climbed[1].notes
    assert note.endswith("nobody knows how long it takes, for it was not measured")
    assert "nothing to recommend" in found.recommendation


def test_a_strategy_that_fine_tunes_nothing_is_refused(
    planned: Callable[..., Plan], means: Means
) -> None:
    with pytest.raises(RecipeError, match="rungs are probed in any case"):
        climb(planned(strategy="probe"), [SMALL], Wishes(finetune=1), means)


def test_table_figure_and_page_tell_of_all(plan: Plan, means: Means, recorder: Any) -> None:
    found = climb(plan, [SMALL, ABSENT, LARGE], Wishes(finetune=1), means)
    table = pd.read_csv(io.BytesIO(recorder.files["scores/ladder.csv"]))
    assert table["strategy"].fillna("").tolist() == ["probe", "", "probe", "lp-ft"]
    assert recorder.files["figures/ladder.png"] == b"drawn"
    kept = json.loads(recorder.files["ladder.json"])
    assert kept["climbed"][1]["rung"]["missing"] == "no weights of it here"
    page = as_page(replace(found, notice="<b>"))
    assert "data:image/png;base64," in page
    assert "&lt;b&gt;" in page
    assert found.recommendation in page
    assert "no weights of it here" in page


def test_real_runs_give_the_answers_that_are_compared(
    plan: Plan, made: Made, recorder: Any, carry_out: Callable[..., RunResult]
) -> None:
    def run(plan: Plan) -> RunResult:
        result = carry_out(plan, type(recorder)(), log_pictures=False)
        return replace(result, run_id=plan.name)

    means = Means(run, measure, made.judge, recorder, Silent())
    found = climb(plan, [SMALL, TWIN], Wishes(), means)
    probe, twin = (one.tried[0] for one in found.climbed)
    assert probe.strategy == "probe"
    assert twin.strategy == "scratch"
    assert probe.value >= twin.value  # classes differ in brightness, which a probe sees at once
    assert found.chosen == "small"
    assert made.judged == ["l-resnet10t-probe"]
