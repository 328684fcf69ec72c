"""Rankings against scikit-learn, ties and row weights included."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.scoring import ranking
from transfer.scoring.ranking import (
    average_precision,
    equal_error_rate,
    rank_measures,
    roc_area,
)


def drawn(rows=80, seed=0, step=None):
    generator = np.random.default_rng(seed)
    truth = generator.random(rows) < 0.3
    scores = (generator.random(rows) + 0.4 * truth).astype(np.float32)
    if step:
        scores = np.round(scores / step).astype(np.float32) * np.float32(step)
    return scores, truth, generator.integers(0, 4, size=(7, rows)).astype(np.float64)


@pytest.mark.parametrize("step", [None, 0.1, 0.5])
def test_precision_and_area_are_those_of_scikit_learn(step):
    scores, truth, weights = drawn(step=step)

    precision, area = rank_measures(scores, truth, weights, average_precision, roc_area)

    for number, row_weights in enumerate(weights):
        inside = row_weights > 0
        given = truth[inside], scores[inside]
        expected = sklearn_metrics.average_precision_score(
            *given, sample_weight=row_weights[inside]
        )
        assert precision[number] == pytest.approx(expected)
        expected = sklearn_metrics.roc_auc_score(*given, sample_weight=row_weights[inside])
        assert area[number] == pytest.approx(expected)


@pytest.mark.parametrize("step", [None, 0.1, 0.5])
def test_the_equal_error_rate_is_where_the_curve_meets_the_diagonal(step):
    scores, truth, weights = drawn(step=step)

    (rates,) = rank_measures(scores, truth, weights, equal_error_rate)

    for number, row_weights in enumerate(weights):
        false, true, _ = sklearn_metrics.roc_curve(
            truth, scores, sample_weight=row_weights, drop_intermediate=False
        )
        dense = np.linspace(0, 1, 2_000_001)
        at = np.abs(np.interp(dense, false, true) - (1 - dense)).argmin()
        assert rates[number] == pytest.approx(dense[at], abs=2e-6)


def test_perfect_and_hopeless_rankings_are_exact():
    scores, truth = np.float32([0.9, 0.8, 0.2, 0.1]), np.array([True, True, False, False])
    measures = (average_precision, roc_area, equal_error_rate)
    ones = np.ones((1, 4))

    assert [float(v[0]) for v in rank_measures(scores, truth, ones, *measures)] == [1, 1, 0]
    assert [float(v[0]) for v in rank_measures(scores, ~truth, ones, *measures)][1:] == [0, 1]


@pytest.mark.parametrize("truth", [np.zeros(3, np.bool_), np.ones(3, np.bool_)])
def test_what_has_no_weight_leaves_a_measure_undefined(truth):
    scores = np.float32([0.1, 0.5, 0.5])

    precision, area, rate = rank_measures(
        scores, truth, np.ones((2, 3)), average_precision, roc_area, equal_error_rate
    )

    assert np.isnan(area).all()
    assert np.isnan(rate).all()
    np.testing.assert_array_equal(precision, [1.0, 1.0] if truth[0] else [np.nan, np.nan])


def test_chunks_change_nothing(monkeypatch):
    scores, truth, weights = drawn()
    whole = rank_measures(scores, truth, weights, average_precision)

    monkeypatch.setattr(ranking, "_CHUNK_BYTES", 1)

    np.testing.assert_array_equal(rank_measures(scores, truth, weights, average_precision), whole)
