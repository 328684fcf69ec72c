"""Scores of several labels against scikit-learn, row weights included."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.samples.predictions import Predictions, Thresholds
from transfer.samples.target import TargetKind
from transfer.scoring.intervals import per_class_table, score_with_intervals
from transfer.scoring.metrics import per_class_scores, point_scores, reliability
from transfer.scoring.multi_label import multi_label_scores

LABELS = ("cloud", "wet|land", "fire")


def drawn(rows=70, seed=0, thresholds=None):
    """Rows with up to three labels, ranked better than by chance."""
    generator = np.random.default_rng(seed)
    targets = generator.random((rows, 3)) < [0.6, 0.3, 0.15]
    logits = generator.normal(size=(rows, 3)) + 1.5 * targets - 0.7
    return predictions_of(targets, 1 / (1 + np.exp(-logits)), thresholds)


def predictions_of(targets, probabilities, thresholds=None):
    rows = np.arange(len(targets))
    return Predictions(
        classes=LABELS,
        keys=rows.astype(np.str_),
        groups=rows,
        targets=np.asarray(targets, dtype=np.float32),
        probabilities=np.asarray(probabilities, dtype=np.float32),
        kind=TargetKind.MULTI_LABEL,
        thresholds=thresholds,
    )


def test_scores_are_those_of_scikit_learn_at_the_thresholds():
    predictions = drawn(thresholds=Thresholds((0.5, 0.3, 0.4), "val"))
    weights = np.random.default_rng(1).integers(1, 4, size=(3, 70)).astype(np.float64)
    truth, probabilities = predictions.targets, predictions.probabilities
    said = probabilities >= [0.5, 0.3, 0.4]

    scores = multi_label_scores(predictions, weights)

    for number, row_weights in enumerate(weights):
        ranked = {"y_true": truth, "y_score": probabilities, "sample_weight": row_weights}
        losses = [
            sklearn_metrics.log_loss(truth[:, k], probabilities[:, k], sample_weight=row_weights)
            for k in range(3)
        ]
        expected = {
            "macro_ap": sklearn_metrics.average_precision_score(**ranked, average="macro"),
            "micro_ap": sklearn_metrics.average_precision_score(**ranked, average="micro"),
            "macro_auroc": sklearn_metrics.roc_auc_score(**ranked, average="macro"),
            "macro_f1": sklearn_metrics.f1_score(
                truth, said, average="macro", sample_weight=row_weights, zero_division=0
            ),
            "log_loss": np.mean(losses),
        }
        assert {n: v[number] for n, v in scores.items()} == pytest.approx(expected, rel=1e-5)


def test_scores_of_each_label_are_those_of_scikit_learn():
    predictions = drawn()
    weights = np.random.default_rng(2).integers(1, 4, size=(1, 70)).astype(np.float64)

    scores = per_class_scores(predictions, weights)

    for k, name in enumerate(LABELS):
        truth, probability = predictions.targets[:, k], predictions.probabilities[:, k]
        expected = sklearn_metrics.average_precision_score(
            truth, probability, sample_weight=weights[0]
        )
        assert scores[f"ap/{name}"][0] == pytest.approx(expected)
        recall = sklearn_metrics.recall_score(truth, probability >= 0.5, sample_weight=weights[0])
        assert scores[f"recall/{name}"][0] == pytest.approx(recall)


def test_a_label_without_rows_is_left_out_and_said():
    predictions = predictions_of(
        [[1, 0, 0], [0, 1, 0]] * 15, [[0.9, 0.2, 0.1], [0.3, 0.6, 0.1]] * 15
    )

    scores = score_with_intervals(predictions, multi_label_scores, replicates=50)

    assert scores["macro_ap"].value == 1
    assert scores["macro_ap"].note.endswith("; 1 label(s) without rows left out")
    assert scores["macro_f1"].note.endswith("; thresholds of 0.5")
    assert (scores["macro_f1"].value, scores["macro_f1"].high) == (1, 1)
    assert 0.8 < scores["macro_f1"].low < 1


def test_a_label_that_a_resample_misses_is_left_out_of_macro_f1():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1]])
    predictions = predictions_of(truth, [[0.9, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8]])

    scores = multi_label_scores(predictions, np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))

    # Of one hit and a miss, one hit, and nothing at all; then one hit and a miss twice, and a hit.
    np.testing.assert_allclose(scores["macro_f1"], [(2 / 3 + 1) / 2, (2 / 3 + 2 / 3 + 1) / 3])


def test_rows_without_any_label_are_rows_like_others():
    nothing = predictions_of(np.zeros((4, 3)), np.full((4, 3), 0.2))

    scores = point_scores(nothing, multi_label_scores)

    assert np.isnan([scores[name] for name in ("macro_ap", "macro_auroc", "macro_f1")]).all()
    assert scores["log_loss"] == pytest.approx(-np.log(0.8))


def test_calibration_is_counted_over_all_pairs_of_a_row_and_a_label():
    predictions = drawn(rows=200)
    table = reliability(predictions)
    gaps = 0.0
    for low, high, rows in zip(table["low"], table["high"], table["rows"], strict=True):
        inside = (predictions.probabilities > low) & (predictions.probabilities <= high)
        assert rows == inside.sum()
        if rows:
            mean = predictions.probabilities[inside].mean(dtype=np.float64)
            gaps += rows * abs(predictions.targets[inside].mean() - mean)

    assert point_scores(predictions, multi_label_scores)["ece"] == pytest.approx(gaps / 600)


def test_the_table_has_each_label_with_its_rows_and_intervals():
    predictions = drawn()

    table = per_class_table(predictions, replicates=200)

    assert table["class"].tolist() == list(LABELS)
    assert table["rows"].tolist() == predictions.targets.sum(axis=0).tolist()
    for family in ("ap", "auroc", "precision", "recall", "f1"):
        assert (table[f"{family}_low"] <= table[family]).all()
        assert (table[family] <= table[f"{family}_high"]).all()
