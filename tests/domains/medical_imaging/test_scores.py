"""Scores of findings against scikit-learn, at the level of pictures and of patients."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    roc_auc_score,
)

from tasks.medical_imaging.scores import decide, score
from tasks.medical_imaging.settings import Settings
from transfer import TargetKind

POINTS = ("at_specificity_90", "at_sensitivity_95")
DECIDED = {
    **{point: 0.3 + 0.2 * number for number, point in enumerate(POINTS)},
    **{f"patient/{point}": 0.35 + 0.2 * number for number, point in enumerate(POINTS)},
}


def of_pictures(predictions, number=1):
    targets = predictions.targets
    truth = targets == number if targets.ndim == 1 else targets[:, number] > 0
    return truth, predictions.probabilities[:, number].astype(np.float64)


def of_patients(predictions, number=1):
    truth, probabilities = of_pictures(predictions, number)
    table = pd.DataFrame({"truth": truth, "p": probabilities}).groupby(predictions.groups)
    return table["truth"].max().to_numpy(), table["p"].mean().to_numpy()


@pytest.mark.parametrize("prefix", ["", "patient/"])
@pytest.mark.parametrize("step", [None, 0.25])
def test_scores_are_those_of_scikit_learn(said, decided, prefix, step):
    predictions = decided(said(step=step), DECIDED)
    found = score(predictions, np.ones((1, len(predictions))), Settings())
    truth, p = (of_patients if prefix else of_pictures)(predictions)

    assert found[f"{prefix}auroc"][0] == pytest.approx(roc_auc_score(truth, p))
    assert found[f"{prefix}ap"][0] == pytest.approx(average_precision_score(truth, p))
    assert found[f"{prefix}brier"][0] == pytest.approx(brier_score_loss(truth, p))
    for point in POINTS:
        said_so = p >= DECIDED[prefix + point]
        spared, false, missed, hits = confusion_matrix(truth, said_so).ravel()
        expected = {
            "sensitivity": hits / (hits + missed),
            "specificity": spared / (spared + false),
            "ppv": hits / (hits + false),
            "npv": spared / (spared + missed),
        }
        for name, value in expected.items():
            assert found[f"{prefix}{point}/{name}"][0] == pytest.approx(value), (point, name)


def test_a_resample_of_patients_is_scored_as_if_its_pictures_were_the_rows(said, decided):
    predictions = decided(said(), DECIDED)
    names, patient = np.unique(predictions.groups, return_inverse=True)
    drawn = np.random.default_rng(1).integers(0, 3, (6, len(names))).astype(np.float64)
    found = score(predictions, drawn[:, patient], Settings())
    truth, p = of_pictures(predictions)
    patient_truth, patient_p = of_patients(predictions)
    for number, times in enumerate(drawn.astype(int)):
        rows, people = (
            np.repeat(np.arange(120), times[patient]),
            np.repeat(np.arange(len(names)), times),
        )
        assert found["auroc"][number] == pytest.approx(roc_auc_score(truth[rows], p[rows]))
        area = roc_auc_score(patient_truth[people], patient_p[people])
        assert found["patient/auroc"][number] == pytest.approx(area)
        error = brier_score_loss(patient_truth[people], patient_p[people])
        assert found["patient/brier"][number] == pytest.approx(error)
        hits = (p[rows] >= DECIDED[POINTS[0]]) & truth[rows]
        expected = hits.sum() / truth[rows].sum()
        assert found[f"{POINTS[0]}/sensitivity"][number] == pytest.approx(expected)


def test_predictive_values_are_those_at_the_stated_prevalence(said, decided):
    predictions = decided(said(), DECIDED)
    found = score(predictions, np.ones((1, 120)), Settings(prevalence=0.02))
    truth, p = of_pictures(predictions)
    # Counting instead of Bayes' rule: repeat those without the finding until 2 in 100 have it.
    often = np.where(truth, 1.0, truth.sum() * 0.98 / 0.02 / (~truth).sum())
    told = p >= DECIDED[POINTS[0]]
    ppv = (often * (told & truth)).sum() / (often * told).sum()
    assert found[f"{POINTS[0]}/ppv"][0] == pytest.approx(ppv)
    assert ppv < truth[told].mean()  # the finding is rarer than here, and so is being right


@pytest.mark.parametrize("kind", [TargetKind.SINGLE_LABEL, TargetKind.MULTI_LABEL])
def test_of_several_findings_each_is_scored_and_the_plain_name_is_their_mean(said, decided, kind):
    predictions = said(classes=("a", "b", "c"), kind=kind)
    predictions = decided(predictions, decide(predictions, Settings(target=kind)))
    found = score(predictions, np.ones((1, 120)), Settings(target=kind))
    for prefix, cases_of in (("", of_pictures), ("patient/", of_patients)):
        areas = [roc_auc_score(*cases_of(predictions, number)) for number in range(3)]
        for name, area in zip("abc", areas, strict=True):
            assert found[f"{prefix}auroc/{name}"][0] == pytest.approx(area)
        assert found[f"{prefix}auroc"][0] == pytest.approx(np.mean(areas))
        assert found[f"{prefix}{POINTS[0]}/specificity/b"][0] >= 0.9 - 1e-9


def test_grades_are_judged_as_a_finding_from_a_grade_on(said, decided):
    predictions = decided(said(classes=("0", "1", "2"), kind=TargetKind.ORDINAL), DECIDED)
    settings = Settings(target=TargetKind.ORDINAL, finding=("2",))
    found = score(predictions, np.ones((1, 120)), settings)
    truth, p = of_pictures(predictions, 2)
    assert found["auroc"][0] == pytest.approx(roc_auc_score(truth, p))


def test_thresholds_hold_their_rate_on_the_rows_that_they_were_chosen_on(said, decided):
    predictions = said(300)
    by_name = decide(predictions, Settings(at_specificity=0.8, at_sensitivity=0.7))
    assert set(by_name) == {
        "at_specificity_80", "at_sensitivity_70",
        "patient/at_specificity_80", "patient/at_sensitivity_70",
    }  # fmt: skip
    for prefix, cases_of in (("", of_pictures), ("patient/", of_patients)):
        truth, p = cases_of(predictions)
        told = p >= by_name[f"{prefix}at_specificity_80"]
        assert 0.8 <= 1 - told[~truth].mean() < 0.83
        told = p >= by_name[f"{prefix}at_sensitivity_70"]
        assert 0.7 <= told[truth].mean() < 0.73
    assert not set(by_name) & set(decide(predictions, Settings(at_specificity=0.975)))


def test_a_point_without_a_threshold_has_no_rates_and_the_rest_stands(said, decided):
    predictions = said()
    for bare in (predictions, decided(predictions, {POINTS[1]: 0.5})):
        found = score(bare, np.ones((2, 120)), Settings())
        assert np.isnan(found[f"{POINTS[0]}/sensitivity"]).all()
        assert np.isnan(found[f"{POINTS[0]}/ppv"]).all()
        assert np.isfinite(found["auroc"]).all()
    assert np.isfinite(found[f"{POINTS[1]}/sensitivity"]).all()


def test_rows_without_the_finding_decide_no_sensitivity(said):
    predictions = said()
    predictions.targets[:] = 0
    assert set(decide(predictions, Settings())) == {POINTS[0], f"patient/{POINTS[0]}"}
    assert np.isnan(score(predictions, np.ones((1, 120)), Settings())["auroc"]).all()
