"""A domain's judge joins that of the kind of target."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from transfer.plugin.judge import Judge
from transfer.samples.predictions import Decisions, Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.decisions import fit_thresholds
from transfer.scoring.judging import Judging
from transfer.scoring.metrics import SCORECARDS, point_scores

ROWS = 60


def predictions(seed: int, kind: TargetKind = TargetKind.SINGLE_LABEL) -> Predictions:
    """Return answers about two classes that are right more often than not."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(2, size=ROWS)
    sure = np.clip(generator.normal(0.6, 0.25, ROWS), 0.01, 0.99)
    finding = np.where(targets == 1, sure, 1 - sure).astype(np.float32)
    return Predictions(
        classes=("clear", "finding"),
        keys=np.array([f"key {number}" for number in range(ROWS)]),
        groups=np.arange(ROWS),
        targets=np.eye(2, dtype=np.float32)[targets] if kind is TargetKind.MULTI_LABEL else targets,
        probabilities=np.column_stack([1 - finding, finding]),
        kind=kind,
        facts=pd.DataFrame({"side": generator.choice(["left", "right"], ROWS)}),
    )


def highest_of_the_clear(said: Predictions) -> dict[str, float]:
    return {"threshold": float(said.probabilities[said.targets == 0, 1].max())}


def sensitivity(said: Predictions, weights: np.ndarray) -> dict[str, np.ndarray]:
    assert said.decisions is not None
    assert said.facts is not None
    over = said.probabilities[:, 1] > said.decisions.by_name["threshold"]
    left = (said.facts["side"] == "left").to_numpy()
    found, of_left = said.targets == 1, (said.targets == 1) & left
    return {
        "sensitivity": weights @ (over & found) / (weights @ found),
        "sensitivity/left": weights @ (over & of_left) / (weights @ of_left),
    }


def origin(said: Predictions) -> dict[str, str]:
    assert said.decisions is not None
    return {"sensitivity": f"threshold from {said.decisions.fitted_on}"}


DOMAIN = Judge(
    scores=sensitivity,
    decide=highest_of_the_clear,
    remarks=origin,
    figures=lambda said: {"empty": Figure()},
    shown=("sensitivity",),
)
JUDGING = Judging(TargetKind.SINGLE_LABEL, DOMAIN)


def test_decisions_are_made_on_calibration_rows_and_else_on_val() -> None:
    val, other, test = (predictions(seed) for seed in range(3))

    by_val = JUDGING.decided({"val": val, "test": test})
    by_other = JUDGING.decided({"val": val, "calibration": other, "test": test})

    expected = Decisions(highest_of_the_clear(val), "val")
    assert {split: said.decisions for split, said in by_val.items()} == {
        "val": expected, "test": expected,
    }  # fmt: skip
    assert by_other["test"].decisions == Decisions(highest_of_the_clear(other), "calibration")


def test_thresholds_of_several_labels_are_fitted_on_calibration_rows_and_else_on_val() -> None:
    kind = TargetKind.MULTI_LABEL
    val, other = predictions(0, kind), predictions(1, kind)
    judging = Judging(kind)

    assert judging.decided({"val": val})["val"].thresholds == fit_thresholds(val, "val")
    decided = judging.decided({"val": val, "calibration": other, "test": val})
    assert {said.thresholds for said in decided.values()} == {fit_thresholds(other, "calibration")}
    single = Judging(TargetKind.SINGLE_LABEL).decided({"val": predictions(0)})["val"]
    assert single.thresholds is single.decisions is None


def test_scores_of_a_domain_stand_beside_the_others_with_intervals_and_remarks() -> None:
    decided = JUDGING.decided({"val": predictions(0), "test": predictions(1)})["test"]
    card = SCORECARDS[TargetKind.SINGLE_LABEL]

    scores = JUDGING.scores(decided)

    assert set(scores) == {
        *point_scores(decided, card.scores), "sensitivity", "sensitivity/left",
    }  # fmt: skip
    found = sensitivity(decided, np.ones((1, ROWS)))["sensitivity"][0]
    score = scores["sensitivity"]
    assert score.value == found
    assert score.low is not None
    assert score.high is not None
    assert score.low < found < score.high
    assert score.note.endswith("; threshold from val")


def test_while_training_decisions_are_made_on_the_rows_themselves() -> None:
    said = predictions(0)
    decided = replace(said, decisions=Decisions(highest_of_the_clear(said), "val"))

    points = JUDGING.points(said)

    assert points["sensitivity"] == sensitivity(decided, np.ones((1, ROWS)))["sensitivity"][0]
    assert points["accuracy"] == Judging(TargetKind.SINGLE_LABEL).points(said)["accuracy"]


@pytest.mark.parametrize(("domain", "names"), [(None, set()), (DOMAIN, {"empty"})])
def test_what_a_domain_draws_is_drawn_and_nothing_without_one(
    domain: Judge | None, names: set[str]
) -> None:
    judging = Judging(TargetKind.SINGLE_LABEL, domain)
    assert set(judging.figures(predictions(0))) == names
    assert judging.shown == (("sensitivity",) if domain else ())


def test_a_domain_says_of_which_scores_less_is_better() -> None:
    judging = Judging(
        TargetKind.SINGLE_LABEL, Judge(scores=sensitivity, lower_is_better=frozenset({"brier"}))
    )
    for name in ("log_loss", "brier", "patient/brier", "brier/cat"):
        assert judging.lower_is_better(name)
    for name in ("accuracy", "patient/sensitivity"):
        assert not judging.lower_is_better(name)
    assert not JUDGING.lower_is_better("brier")
