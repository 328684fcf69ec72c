"""What is said, given probabilities; and thresholds against a search over all of them."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.samples.predictions import Predictions, Thresholds
from transfer.samples.target import TargetKind
from transfer.scoring.decisions import (
    above_thresholds,
    fit_thresholds,
    median_grade,
    most_probable,
)


def drawn(rows=60, seed=0):
    generator = np.random.default_rng(seed)
    targets = (generator.random((rows, 4)) < [0.5, 0.2, 0.1, 0.0]).astype(np.float32)
    probabilities = np.clip(generator.random((rows, 4)) * 0.7 + 0.3 * targets, 0, 1)
    numbers = np.arange(rows)
    return Predictions(
        tuple("abcd"),
        numbers.astype(np.str_),
        numbers,
        targets,
        probabilities.astype(np.float32),
        TargetKind.MULTI_LABEL,
    )


def test_thresholds_have_the_highest_f1_that_any_has():
    predictions = drawn()

    fitted = fit_thresholds(predictions, "calibration")

    assert fitted.fitted_on == "calibration"
    said = above_thresholds(predictions.probabilities, fitted)
    for k in range(3):
        truth, probability = predictions.targets[:, k], predictions.probabilities[:, k]
        best = max(sklearn_metrics.f1_score(truth, probability >= limit) for limit in probability)
        assert sklearn_metrics.f1_score(truth, said[:, k]) == pytest.approx(best)


def test_a_threshold_lies_between_two_probabilities_so_that_rounding_decides_nothing():
    predictions = drawn()

    for limit, probability in zip(
        fit_thresholds(predictions, "val").values, predictions.probabilities.T, strict=True
    ):
        assert np.abs(probability - limit).min() > 1e-5


def test_a_label_that_no_row_has_keeps_one_half():
    assert fit_thresholds(drawn(), "val").values[3] == 0.5


def test_without_thresholds_a_label_is_said_from_one_half_on():
    said = above_thresholds(np.float32([[0.5, 0.49], [0.1, 0.9]]))
    np.testing.assert_array_equal(said, [[1, 0], [0, 1]])
    assert said.dtype == np.float32
    own = above_thresholds(np.float32([[0.5, 0.49]]), Thresholds((0.6, 0.4), "val"))
    np.testing.assert_array_equal(own, [[0, 1]])


def test_the_median_grade_is_the_one_of_least_expected_distance():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), size=200).astype(np.float32)
    ranks = np.arange(5)
    distances = probabilities.astype(np.float64) @ np.abs(ranks[:, None] - ranks)
    np.testing.assert_array_equal(median_grade(probabilities), distances.argmin(axis=1))


def test_the_first_of_equals_is_said():
    assert most_probable(np.float32([[0.5, 0.5], [0.2, 0.8]])).tolist() == [0, 1]
    assert median_grade(np.float32([[0.5, 0.5, 0.0]])).tolist() == [0]
