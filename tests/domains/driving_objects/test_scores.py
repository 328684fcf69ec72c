from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from tasks.driving_objects.scores import judge, road_remarks, road_scores
from tasks.driving_objects.settings import Settings
from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.judging import Judging

CLASSES = ("Car", "Cyclist", "Pedestrian", "Truck")
SETTINGS = Settings(heights=(25,), brightnesses=(0.5,))


@pytest.fixture
def said() -> Predictions:
    generator = np.random.default_rng(0)
    count = 300
    probabilities = generator.random((count, len(CLASSES))).astype(np.float32)
    targets = generator.integers(0, len(CLASSES), count)
    probabilities[np.arange(count), targets] += 0.4
    facts = pd.DataFrame(
        {"height_px": generator.uniform(10, 60, count), "brightness": generator.random(count)}
    )
    return Predictions(
        classes=CLASSES,
        keys=np.array([str(number) for number in range(count)]),
        groups=generator.integers(0, 30, count),
        targets=targets,
        probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
        facts=facts,
    )


def test_a_pair_is_scored_by_the_rows_of_either_that_are_said_to_be_the_other(
    said: Predictions,
) -> None:
    weights = np.random.default_rng(1).integers(0, 3, (4, len(said))).astype(float)
    scores = road_scores(said, weights, settings=SETTINGS)
    guesses = said.probabilities.argmax(axis=1)
    for first, second in (("Car", "Truck"), ("Cyclist", "Pedestrian")):
        a, b = CLASSES.index(first), CLASSES.index(second)
        for number, weight in enumerate(weights):
            swapped = total = 0.0
            for target, guess, often in zip(said.targets, guesses, weight, strict=True):
                total += often * (target in {a, b})
                swapped += often * ((target, guess) in {(a, b), (b, a)})
            name = f"confused/{first.lower()}:{second.lower()}"
            assert scores[name][number] == pytest.approx(swapped / total)


def test_a_slice_has_the_headline_of_its_own_rows(said: Predictions) -> None:
    weights = np.random.default_rng(1).integers(0, 3, (3, len(said))).astype(float)
    scores = road_scores(said, weights, settings=SETTINGS)
    assert said.facts is not None
    guesses, small = said.probabilities.argmax(axis=1), said.facts["height_px"] < 25
    for name, rows in (("under", small), ("from", ~small)):
        for number, weight in enumerate(weights):
            expected = balanced_accuracy_score(
                said.targets[rows], guesses[rows], sample_weight=weight[rows]
            )
            found = scores[f"balanced_accuracy/height_{name}_25"][number]
            assert found == pytest.approx(expected)


def test_pairs_are_scored_only_where_both_classes_have_rows(said: Predictions) -> None:
    kept = said.targets != CLASSES.index("Truck")
    without = replace(
        said,
        keys=said.keys[kept],
        groups=said.groups[kept],
        targets=said.targets[kept],
        probabilities=said.probabilities[kept],
        facts=None,
    )
    assert set(road_scores(without, np.ones((1, kept.sum())), settings=SETTINGS)) == {
        "confused/cyclist:pedestrian"
    }


def test_every_score_says_on_how_many_rows_and_groups_it_rests(said: Predictions) -> None:
    scores = road_scores(said, np.ones((1, len(said))), settings=SETTINGS)
    remarks = road_remarks(said, settings=SETTINGS)
    assert set(remarks) == set(scores)
    assert said.facts is not None
    dark = (said.facts["brightness"] < 0.5).to_numpy()
    assert remarks["balanced_accuracy/brightness_under_0.5"] == (
        f"{dark.sum()} rows in {len(set(said.groups[dark]))} group(s)"
    )


def test_the_judge_asks_by_the_settings(said: Predictions) -> None:
    own = judge(Settings(costly=("Car:Cyclist",), heights=(30,)))
    assert own.shown == ("confused/Car:Cyclist",)
    scores = own.scores(said, np.ones((1, len(said))))
    assert "confused/Car:Cyclist" in scores
    assert "balanced_accuracy/height_under_30" in scores
    assert set(own.remarks(said)) == set(scores)


def test_a_pair_that_is_never_confused_still_has_an_interval_by_its_groups(
    said: Predictions,
) -> None:
    sure = replace(said, probabilities=np.eye(len(CLASSES), dtype=np.float32)[said.targets])
    judging = Judging(TargetKind.SINGLE_LABEL, judge(SETTINGS))
    score = judging.scores(sure)["confused/car:truck"]
    of_pair = np.isin(said.targets, [CLASSES.index("Car"), CLASSES.index("Truck")])
    groups = len(set(said.groups[of_pair]))
    assert (score.value, score.low) == (0, 0)
    assert score.high == pytest.approx(1.96**2 / (groups + 1.96**2), rel=1e-3)  # Wilson 1927
    assert f"{of_pair.sum()} rows in {groups} group(s)" in score.note


def test_a_slice_of_few_groups_has_no_interval(said: Predictions) -> None:
    assert said.facts is not None
    facts = said.facts.assign(height_px=np.where(said.groups < 6, 10, 40))
    scores = Judging(TargetKind.SINGLE_LABEL, judge(SETTINGS)).scores(replace(said, facts=facts))
    small, large = (scores[f"balanced_accuracy/height_{end}"] for end in ("under_25", "from_25"))
    assert small.low is None
    assert small.note.startswith("6 groups; 20 are needed for an interval")
    assert large.note.startswith("bootstrap of 24 groups")
