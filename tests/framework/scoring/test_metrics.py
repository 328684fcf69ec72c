"""Every score against scikit-learn, row weights included."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.calibration import CALIBRATION_BINS
from transfer.scoring.metrics import (
    LOWER_IS_BETTER,
    SCORECARDS,
    confusion,
    guesses,
    mistakes,
    per_class_scores,
    point_scores,
    reliability,
)
from transfer.scoring.single_label import single_label_scores

CLASSES = ("forest", "river", "crop/maize", "sea")


def predictions_of(targets, probabilities, groups=None, classes=CLASSES):
    targets = np.asarray(targets, dtype=np.int64)
    rows = np.arange(len(targets))
    return Predictions(
        classes=classes,
        keys=rows.astype(np.str_),
        groups=rows if groups is None else np.asarray(groups),
        targets=targets,
        probabilities=np.asarray(probabilities, dtype=np.float32),
    )


def random_predictions(rows=90, seed=0, classes=CLASSES, used=None):
    """Right more often than not; only the first `used` classes occur in the rows."""
    generator = np.random.default_rng(seed)
    targets = generator.integers(used or len(classes), size=rows)
    logits = generator.normal(size=(rows, len(classes)))
    logits[np.arange(rows), targets] += 1.5
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return predictions_of(targets, probabilities, classes=classes)


def certain_predictions(targets, guessed):
    """Return predictions that are certain of `guessed`."""
    return predictions_of(targets, np.eye(len(CLASSES))[guessed])


def scikit_learn_scores(predictions, weights):
    truth, guessed = predictions.targets, guesses(predictions)
    labels = range(len(predictions.classes))
    return {
        "accuracy": sklearn_metrics.accuracy_score(truth, guessed, sample_weight=weights),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(
            truth, guessed, sample_weight=weights
        ),
        "macro_f1": sklearn_metrics.f1_score(
            truth, guessed, average="macro", zero_division=0, sample_weight=weights
        ),
        "kappa": sklearn_metrics.cohen_kappa_score(truth, guessed, sample_weight=weights),
        "log_loss": sklearn_metrics.log_loss(
            truth, predictions.probabilities, labels=labels, sample_weight=weights
        ),
    }


def point(scorer, predictions):
    scores = scorer(predictions, np.ones((1, len(predictions))))
    return {name: values[0] for name, values in scores.items()}


@pytest.mark.parametrize("seed", range(5))
def test_scores_of_plain_rows_are_those_of_scikit_learn(seed):
    predictions = random_predictions(seed=seed)

    scores = point(single_label_scores, predictions)

    assert scores == pytest.approx(scikit_learn_scores(predictions, None), rel=1e-5)


def test_each_of_many_weightings_gives_the_weighted_score_of_scikit_learn():
    predictions = random_predictions()
    weights = np.random.default_rng(1).integers(1, 6, size=(20, len(predictions)))

    scores = single_label_scores(predictions, weights.astype(np.float64))

    for number, row_weights in enumerate(weights):
        expected = scikit_learn_scores(predictions, row_weights)
        assert {name: values[number] for name, values in scores.items()} == pytest.approx(
            expected, rel=1e-5
        )


def test_an_integer_weight_is_that_many_copies_of_the_row():
    predictions = random_predictions(rows=200)
    weights = np.random.default_rng(2).integers(0, 4, size=len(predictions))
    copied = predictions_of(
        predictions.targets.repeat(weights), predictions.probabilities.repeat(weights, axis=0)
    )

    for scorer in (single_label_scores, per_class_scores):
        weighted = scorer(predictions, weights[None].astype(np.float64))
        assert {name: values[0] for name, values in weighted.items()} == pytest.approx(
            point(scorer, copied)
        )


def test_means_over_classes_leave_out_those_without_weight():
    truth, guessed = [0, 0, 1, 2, 3], [0, 1, 1, 2, 0]
    predictions = certain_predictions(truth, guessed)
    weights = np.array([[1.0, 1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0, 0.0], [0.0] * 5])

    scores = single_label_scores(predictions, weights)

    for number in range(2):
        drawn = np.flatnonzero(weights[number])
        rows = np.array(truth)[drawn], np.array(guessed)[drawn]
        expected = sklearn_metrics.recall_score(*rows, average="macro", labels=np.unique(rows[0]))
        assert scores["balanced_accuracy"][number] == pytest.approx(expected)
        expected = sklearn_metrics.f1_score(*rows, average="macro", zero_division=0)
        assert scores["macro_f1"][number] == pytest.approx(expected)
    assert np.isnan(scores["macro_f1"][2])


def test_a_class_that_is_guessed_but_has_no_rows_counts_in_macro_f1():
    predictions = random_predictions(rows=60, used=3)
    assert 3 in guesses(predictions)
    assert 3 not in predictions.targets

    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = scikit_learn_scores(predictions, None)

    assert point(single_label_scores, predictions) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("guessed", [2, 3])
def test_rows_of_one_class_have_finite_scores(guessed):
    predictions = certain_predictions([2] * 8, [guessed] * 8)

    scores = point_scores(predictions, single_label_scores)

    assert np.isfinite(list(scores.values())).all()
    assert scores["kappa"] == 0


def test_kappa_is_undefined_where_a_resample_alone_is_of_one_class():
    predictions = certain_predictions([0, 0, 1], [0, 0, 1])

    kappa = single_label_scores(predictions, np.array([[1.0, 2.0, 0.0], [1.0, 1.0, 1.0]]))["kappa"]

    np.testing.assert_array_equal(kappa, [np.nan, 1.0])


def test_a_certain_mistake_costs_the_logarithm_of_the_float32_epsilon():
    predictions = certain_predictions([0], [1])

    scores = point_scores(predictions, single_label_scores)

    assert scores["log_loss"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_per_class_scores_are_those_of_scikit_learn():
    predictions = random_predictions(rows=150)
    weights = np.random.default_rng(3).integers(1, 4, size=(3, len(predictions)))

    scores = per_class_scores(predictions, weights.astype(np.float64))

    for number, row_weights in enumerate(weights):
        expected = sklearn_metrics.precision_recall_fscore_support(
            predictions.targets, guesses(predictions), sample_weight=row_weights
        )
        for family, values in zip(("precision", "recall", "f1"), expected, strict=False):
            for name, value in zip(CLASSES, values, strict=True):
                assert scores[f"{family}/{name}"][number] == pytest.approx(value)


def test_precision_of_a_class_is_zero_if_never_guessed_and_undefined_if_only_a_resample_misses_it():
    predictions = certain_predictions([0, 1, 2], [0, 0, 2])

    scores = per_class_scores(predictions, np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]))

    np.testing.assert_array_equal(scores["precision/river"], [0.0, 0.0])
    np.testing.assert_array_equal(scores["precision/crop/maize"], [1.0, np.nan])


def test_recall_of_a_class_without_rows_is_undefined():
    scores = point(per_class_scores, certain_predictions([0, 1], [0, 3]))

    assert np.isnan(scores["recall/sea"])
    assert scores["f1/sea"] == 0
    assert np.isnan(scores["f1/crop/maize"])


def test_a_thousand_classes_need_no_full_confusion_matrices():
    classes = tuple(f"class {number}" for number in range(1000))
    predictions = random_predictions(rows=300, classes=classes)
    weights = np.random.default_rng(0).integers(1, 3, size=(500, 300)).astype(np.float64)

    scores = single_label_scores(predictions, weights)  # 500 full matrices would take 4 GB

    right = predictions.targets == guesses(predictions)
    assert scores["accuracy"][7] == pytest.approx(np.average(right, weights=weights[7]))


def test_confusion_counts_targets_down_and_guesses_across():
    predictions = random_predictions()

    counts = confusion(predictions)

    expected = sklearn_metrics.confusion_matrix(predictions.targets, guesses(predictions))
    np.testing.assert_array_equal(counts, expected)
    assert counts.dtype == np.int64


def test_confusion_keeps_classes_that_never_occur():
    assert confusion(certain_predictions([0], [0])).shape == (4, 4)


def test_reliability_and_calibration_error_agree_with_a_count_row_by_row():
    predictions = random_predictions(rows=400)
    confidence = predictions.probabilities.max(axis=1)
    right = predictions.targets == guesses(predictions)
    gap_sum = 0.0

    table = reliability(predictions)

    for number in range(CALIBRATION_BINS):
        low, high = number / CALIBRATION_BINS, (number + 1) / CALIBRATION_BINS
        inside = [row for row in range(400) if low < confidence[row] <= high]
        assert table["rows"][number] == len(inside)
        if inside:
            bin_confidence = sum(float(confidence[row]) for row in inside) / len(inside)
            bin_accuracy = sum(right[row] for row in inside) / len(inside)
            assert table["confidence"][number] == pytest.approx(bin_confidence)
            assert table["accuracy"][number] == pytest.approx(bin_accuracy)
            gap_sum += len(inside) * abs(bin_accuracy - bin_confidence)
        else:
            assert np.isnan(table["accuracy"][number])
    ece = point_scores(predictions, single_label_scores)["ece"]
    assert ece == pytest.approx(gap_sum / 400)


def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower_and_certainty_to_the_last():
    table = reliability(predictions_of([0, 0], [[0.5, 0.5], [1.0, 0.0]], classes=("a", "b")))

    halves = table[(table["low"] < 0.5) & (table["high"] >= 0.5)]
    assert halves["rows"].tolist() == [1]
    assert table["rows"].iloc[-1] == 1


def test_calibration_error_stands_only_beside_scores_of_probabilities():
    assert "ece" not in point_scores(random_predictions(), per_class_scores)


def test_every_kind_of_target_has_a_scorecard_and_every_score_a_direction():
    assert set(SCORECARDS) == set(TargetKind)
    names = set()
    for kind, card in SCORECARDS.items():
        predictions = of_kind(kind)
        scores = point_scores(predictions, card.scores)
        names |= set(scores)
        assert card.headline in set(scores) - LOWER_IS_BETTER
        families = {name.partition("/")[0] for name in point_scores(predictions, per_class_scores)}
        assert families == set(card.families)
        assert guesses(predictions).shape == predictions.targets.shape
    assert names > LOWER_IS_BETTER


def of_kind(kind):
    """Return predictions of any kind of target that are right more often than not."""
    single = random_predictions(rows=40)
    targets = single.targets
    if kind is TargetKind.MULTI_LABEL:
        targets = np.eye(len(CLASSES), dtype=np.float32)[targets]
    return replace(single, targets=targets, kind=kind, embeddings=single.probabilities)


@pytest.mark.parametrize("kind", TargetKind)
def test_mistakes_are_the_rows_said_wrong_the_surest_first(kind):
    predictions = of_kind(kind)
    said = guesses(predictions)

    numbers, errors = mistakes(predictions)

    assert set(numbers) == {
        n for n in range(40) if not np.array_equal(said[n], predictions.targets[n])
    }
    assert (np.diff(errors) <= 0).all()
    first = numbers[0]
    if kind is TargetKind.MULTI_LABEL:
        expected = np.abs(predictions.probabilities[first] - predictions.targets[first]).max()
    else:
        expected = predictions.probabilities[first, said[first]]
    assert errors[0] == pytest.approx(expected)
