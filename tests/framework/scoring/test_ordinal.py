"""Scores of grades against scikit-learn, row weights included."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.intervals import score_with_intervals
from transfer.scoring.metrics import confusion, guesses, per_class_scores
from transfer.scoring.ordinal import ordinal_scores

GRADES = ("none", "mild", "severe", "fatal")


def predictions_of(targets, probabilities):
    rows = np.arange(len(targets))
    return Predictions(
        GRADES,
        rows.astype(np.str_),
        rows,
        np.asarray(targets, dtype=np.int64),
        np.asarray(probabilities, dtype=np.float32),
        TargetKind.ORDINAL,
    )


def drawn(rows=90, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.choice(4, size=rows, p=[0.5, 0.2, 0.2, 0.1])
    distance = np.abs(np.arange(4) - targets[:, None] - generator.normal(size=(rows, 1)))
    probabilities = np.exp(-distance)
    return predictions_of(targets, probabilities / probabilities.sum(axis=1, keepdims=True))


def test_scores_are_those_of_scikit_learn():
    predictions = drawn()
    weights = np.random.default_rng(1).integers(1, 4, size=(3, 90)).astype(np.float64)
    truth, said = predictions.targets, guesses(predictions)
    rounded = predictions.probabilities.astype(np.float64)

    scores = ordinal_scores(predictions, weights)

    for number, row_weights in enumerate(weights):
        given = {"y1": truth, "y2": said, "sample_weight": row_weights}
        both = {"y_true": truth, "y_pred": said, "sample_weight": row_weights}
        expected = {
            "quadratic_kappa": sklearn_metrics.cohen_kappa_score(**given, weights="quadratic"),
            "accuracy": sklearn_metrics.accuracy_score(**both),
            "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(**both),
            "mean_absolute_error": sklearn_metrics.mean_absolute_error(**both),
            "log_loss": sklearn_metrics.log_loss(
                truth, rounded / rounded.sum(axis=1, keepdims=True), sample_weight=row_weights
            ),
        }
        assert {n: v[number] for n, v in scores.items()} == pytest.approx(expected, rel=1e-5)


def test_a_guess_further_off_costs_more():
    near = predictions_of([0, 1, 2, 3], np.eye(4)[[1, 1, 2, 3]])
    far = predictions_of([0, 1, 2, 3], np.eye(4)[[3, 1, 2, 3]])
    ones = np.ones((1, 4))

    assert (
        ordinal_scores(near, ones)["quadratic_kappa"] > ordinal_scores(far, ones)["quadratic_kappa"]
    )


def test_rows_of_one_grade_have_a_kappa_of_nought_and_a_resample_of_one_has_none():
    same = predictions_of([2, 2], np.eye(4)[[2, 2]])
    mixed = predictions_of([2, 2, 0], np.eye(4)[[2, 2, 0]])

    assert ordinal_scores(same, np.ones((1, 2)))["quadratic_kappa"] == [0]
    kappa = ordinal_scores(mixed, np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]))["quadratic_kappa"]
    np.testing.assert_array_equal(kappa, [np.nan, 1.0])


def test_a_kappa_of_one_has_the_interval_of_full_agreement():
    perfect = predictions_of([0, 1, 2, 3] * 10, np.eye(4)[[0, 1, 2, 3] * 10])

    score = score_with_intervals(perfect, ordinal_scores, replicates=50)["quadratic_kappa"]

    assert (score.value, score.high) == (1, 1)
    assert score.note.startswith("Wilson on 40 groups")


def test_the_confusion_and_the_scores_of_a_grade_are_those_of_the_median_grade():
    predictions = predictions_of([0, 1], [[0.4, 0.2, 0.2, 0.2], [0.3, 0.3, 0.3, 0.1]])

    assert guesses(predictions).tolist() == [1, 1]
    assert confusion(predictions)[:, 1].tolist() == [1, 1, 0, 0]
    assert per_class_scores(predictions, np.ones((1, 2)))["precision/mild"] == [0.5]
