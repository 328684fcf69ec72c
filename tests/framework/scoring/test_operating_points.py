"""Operating points against scikit-learn's ROC, and against counting."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_curve

from transfer.scoring.operating_points import (
    Rates,
    predictive_values,
    rates_at,
    threshold_at_sensitivity,
    threshold_at_specificity,
)


def drawn(seed, rows=200, step=None):
    generator = np.random.default_rng(seed)
    truth = generator.random(rows) < 0.3
    probabilities = np.clip(0.3 * generator.normal(size=rows) + 0.2 + 0.4 * truth, 0, 1)
    if step:
        probabilities = np.round(probabilities / step) * step
    return probabilities.astype(np.float32), truth


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("step", [None, 0.1, 1.0])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 1.0])
def test_no_other_threshold_does_better_at_the_fixed_rate(seed, step, share):
    probabilities, truth = drawn(seed, step=step)
    false, true, _ = roc_curve(truth, probabilities, drop_intermediate=False)
    ones = np.ones((1, len(truth)))

    threshold = threshold_at_specificity(probabilities, truth, share)
    sensitivity, specificity = rates_at(probabilities, truth, threshold, ones)
    assert specificity[0] >= share - 1e-9
    assert sensitivity[0] == pytest.approx(true[1 - false >= share - 1e-9].max())

    threshold = threshold_at_sensitivity(probabilities, truth, share)
    sensitivity, specificity = rates_at(probabilities, truth, threshold, ones)
    assert sensitivity[0] >= share - 1e-9
    assert specificity[0] == pytest.approx(1 - false[true >= share - 1e-9].min())


def test_a_threshold_lies_half_way_between_two_probabilities():
    probabilities = np.array([0.1, 0.2, 0.6, 0.9], np.float32)
    truth = np.array([False, False, True, True])
    middle = (float(np.float32(0.2)) + float(np.float32(0.6))) / 2
    assert threshold_at_specificity(probabilities, truth, 1.0) == middle
    assert threshold_at_sensitivity(probabilities, truth, 1.0) == middle


def test_a_share_that_is_met_exactly_is_met():
    truth = np.arange(40) >= 20
    probabilities = np.linspace(0, 1, 40)[::-1]  # as wrong as can be
    threshold = threshold_at_sensitivity(probabilities, truth, 0.95)
    assert (probabilities[truth] >= threshold).sum() == 19
    threshold = threshold_at_specificity(probabilities, truth, 0.95)
    assert (probabilities[~truth] < threshold).sum() == 19


def test_where_all_are_told_the_same_the_threshold_goes_beyond_one():
    probabilities, truth = np.ones(4, np.float32), np.array([True, True, False, False])
    threshold = threshold_at_specificity(probabilities, truth, 0.9)
    assert not (probabilities >= threshold).any()


@pytest.mark.parametrize(
    ("find", "truth"), [(threshold_at_specificity, True), (threshold_at_sensitivity, False)]
)
def test_rows_that_cannot_tell_give_no_threshold(find, truth):
    assert find(np.array([0.2, 0.8]), np.array([truth, truth]), 0.9) is None


def test_rates_count_rows_as_often_as_their_weights_say():
    probabilities, truth = drawn(5)
    weights = np.random.default_rng(1).integers(0, 4, (6, len(truth))).astype(np.float64)

    rates = rates_at(probabilities, truth, 0.37, weights)

    for number, row_weights in enumerate(weights):
        spared, false, missed, hits = confusion_matrix(
            truth, probabilities >= 0.37, sample_weight=row_weights
        ).ravel()
        assert rates.sensitivity[number] == pytest.approx(hits / (hits + missed))
        assert rates.specificity[number] == pytest.approx(spared / (spared + false))


def test_a_rate_without_rows_is_undefined():
    rates = rates_at(np.array([0.2, 0.8]), np.array([True, True]), 0.5, np.ones((2, 2)))
    np.testing.assert_array_equal(rates.sensitivity, [0.5, 0.5])
    assert np.isnan(rates.specificity).all()


def test_predictive_values_at_the_prevalence_of_the_rows_are_those_of_the_rows():
    probabilities, truth = drawn(6)
    said, ones = probabilities >= 0.37, np.ones((1, len(truth)))

    ppv, npv = predictive_values(rates_at(probabilities, truth, 0.37, ones), truth.mean())

    assert ppv[0] == pytest.approx(truth[said].mean())
    assert npv[0] == pytest.approx(1 - truth[~said].mean())


def test_predictive_values_follow_the_prevalence():
    # The worked example of Altman and Bland 1994 (liver scan): sensitivity 231 / 258, specificity
    # 54 / 86; at a prevalence of 0.25 they give 0.45 and 0.95.
    rates = Rates(np.array([231 / 258]), np.array([54 / 86]))
    ppv, npv = predictive_values(rates, 0.25)
    assert (round(ppv[0], 2), round(npv[0], 2)) == (0.45, 0.95)


def test_nobody_told_so_leaves_the_value_undefined():
    ppv, npv = predictive_values(Rates(np.array([0.0]), np.array([1.0])), 0.1)
    assert np.isnan(ppv).all()
    assert npv[0] == pytest.approx(0.9)
