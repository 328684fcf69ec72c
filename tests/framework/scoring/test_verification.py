"""Pairs of pictures, against scikit-learn's ROC, pairs written out, and small cases by hand."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.scoring.ranking import equal_error_rate, hits_at, rank_measures, roc_area
from transfer.scoring.verification import (
    all_pairs,
    compare,
    deal_people,
    enough_people,
    fold_accuracy,
    measure_pairs,
)


def drawn(people=6, each=4, seed=0):
    generator = np.random.default_rng(seed)
    persons = np.repeat(np.arange(people), each)
    centres = generator.normal(size=(people, 5))
    return (centres[persons] + generator.normal(size=(len(persons), 5))).astype(np.float32), persons


def cosine(embeddings, one, other):
    a, b = embeddings[one].astype(np.float64), embeddings[other].astype(np.float64)
    return a @ b / np.sqrt((a @ a) * (b @ b))


def written_out(embeddings, persons, times):
    """Return same and scores of all pairs in a resample where each person came so many times.

    Every copy of a person is a person of its own, but is never paired with another copy.
    """
    rows = [(row, copy) for row in range(len(persons)) for copy in range(times[persons[row]])]
    same, scores = [], []
    for place, (one, copy) in enumerate(rows):
        for other, its_copy in rows[:place]:
            if persons[one] == persons[other] and copy != its_copy:
                continue
            same.append(persons[one] == persons[other])
            scores.append(cosine(embeddings, one, other))
    return np.array(same), np.array(scores)


@pytest.mark.parametrize("rate", [0.3, 0.1, 0.02])
def test_hits_at_a_rate_are_those_of_scikit_learn(rate):
    generator = np.random.default_rng(1)
    truth = generator.random(200) < 0.3
    scores = np.round(generator.normal(size=200) + truth, 1).astype(np.float32)  # with ties

    found = rank_measures(scores, truth, np.ones((1, 200)), hits_at(rate))[0]

    false, true, _ = sklearn_metrics.roc_curve(truth, scores, drop_intermediate=False)
    assert found == pytest.approx(true[false <= rate].max())


def test_hits_at_a_rate_by_hand():
    scores = np.array([5, 4, 3, 2, 1], np.float32)
    truth = np.array([True, False, True, True, False])
    weights = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 2], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0]], float)

    none = rank_measures(scores, truth, weights, hits_at(0.0))[0]
    half = rank_measures(scores, truth, weights, hits_at(0.5))[0]

    assert none == pytest.approx([1 / 3, 1, 1, np.nan], nan_ok=True)
    assert half == pytest.approx([1, 1, 1, np.nan], nan_ok=True)


def test_nothing_is_hit_where_a_negative_stands_above_all():
    found = rank_measures(
        np.array([2, 1], np.float32), np.array([False, True]), np.ones((1, 2)), hits_at(0.5)
    )
    assert found[0] == [0]


def test_pairs_are_all_pairs_and_their_cosines():
    embeddings, persons = drawn(people=3, each=3)

    pairs = all_pairs(embeddings, persons)

    assert len(pairs) == 9 * 8 // 2
    for one, other, same, score in zip(*pairs.rows, pairs.same, pairs.scores, strict=True):
        assert same == (persons[one] == persons[other])
        assert score == pytest.approx(cosine(embeddings, one, other), abs=1e-6)


def test_two_pictures_of_one_session_are_no_proof():
    embeddings, persons = drawn(people=2, each=4)
    sessions = np.array(["mon", "mon", "tue", "", "mon", "tue", "", ""])

    pairs = all_pairs(embeddings, persons, sessions=sessions)

    found = set(zip(*pairs.rows.tolist(), strict=True))
    everything = {(one, other) for other in range(8) for one in range(other)}
    assert everything - found == {(0, 1)}  # not (0, 4): two people may share a session


@pytest.mark.parametrize("seed", range(3))
def test_a_resample_is_people_who_are_never_paired_with_their_own_copy(seed):
    embeddings, persons = drawn(seed=seed)
    times = np.random.default_rng(seed).multinomial(6, [1 / 6] * 6)
    weights = times[persons][None].astype(float)
    pairs = all_pairs(embeddings, persons)

    area, hits = measure_pairs(pairs, persons, weights, roc_area, hits_at(0.2))

    same, scores = written_out(embeddings, persons, times)
    false, true, _ = sklearn_metrics.roc_curve(same, scores, drop_intermediate=False)
    assert area == pytest.approx(sklearn_metrics.roc_auc_score(same, scores), abs=1e-6)
    assert hits == pytest.approx(true[false <= 0.2].max())


def test_where_rows_are_drawn_alone_a_pair_weighs_the_product():
    embeddings, persons = drawn(people=4, each=4)
    weights = np.random.default_rng(1).integers(0, 3, size=(1, 16)).astype(float)
    pairs = all_pairs(embeddings, persons)

    area = measure_pairs(pairs, np.arange(16), weights, roc_area)[0]

    each = weights[0, pairs.rows[0]] * weights[0, pairs.rows[1]]
    expected = sklearn_metrics.roc_auc_score(pairs.same, pairs.scores, sample_weight=each)
    assert area == pytest.approx(expected)


def test_weightings_in_parts_are_measured_alike(monkeypatch):
    embeddings, persons = drawn()
    weights = np.random.default_rng(0).multinomial(6, [1 / 6] * 6, size=7)[:, persons].astype(float)
    pairs = all_pairs(embeddings, persons)
    expected = measure_pairs(pairs, persons, weights, equal_error_rate, roc_area)
    monkeypatch.setattr("transfer.scoring.verification._WEIGHTS_AT_ONCE", 30)

    np.testing.assert_array_equal(
        measure_pairs(pairs, persons, weights, equal_error_rate, roc_area), expected
    )


def test_many_scores_that_are_rounded_tell_nearly_the_same(monkeypatch):
    embeddings, persons = drawn(people=12, each=6)
    weights = np.random.default_rng(0).multinomial(12, [1 / 12] * 12, size=50)[:, persons]
    measures = (equal_error_rate, roc_area, hits_at(0.1))
    exact = all_pairs(embeddings, persons, resampled=True)
    monkeypatch.setattr("transfer.scoring.verification._MOST_EXACT_PAIRS", 100)
    rounded = all_pairs(embeddings, persons, resampled=True)

    assert len(np.unique(rounded.scores)) < len(np.unique(exact.scores))
    assert np.array_equal(all_pairs(embeddings, persons).scores, exact.scores)
    found, expected = (
        np.array(measure_pairs(pairs, persons, weights.astype(float), *measures))
        for pairs in (rounded, exact)
    )
    assert np.abs(found - expected).mean() < 2e-3


def test_without_pairs_there_is_no_number():
    none = compare(np.ones((1, 2), np.float32), np.empty((2, 0), np.int64), np.empty(0, np.bool_))
    assert np.isnan(measure_pairs(none, np.zeros(1, np.int64), np.ones((3, 1)), roc_area)[0]).all()
    assert np.isnan(
        fold_accuracy(none, np.empty(0, np.int64), np.zeros(1, np.int64), np.ones((3, 1)))
    ).all()


@pytest.mark.parametrize(("rate", "people"), [(0.1, 15), (0.01, 46), (0.001, 142)])
def test_a_rate_needs_ten_pairs_of_people_that_are_accepted_falsely(rate, people):
    # 15 * 14 / 2 = 105, 46 * 45 / 2 = 1,035 and 142 * 141 / 2 = 10,011 pairs.
    assert enough_people(people, rate)
    assert not enough_people(people - 1, rate)


def test_people_are_dealt_evenly_and_stay_whole():
    persons = np.repeat(np.arange(23), 3)
    folds = deal_people(persons)
    of_person = [set(folds[persons == person].tolist()) for person in range(23)]
    assert all(len(each) == 1 for each in of_person)
    assert sorted(np.bincount([each.pop() for each in of_person])) == [2] * 7 + [3] * 3
    np.testing.assert_array_equal(deal_people(persons), folds)


def lfw_by_hand(pairs, folds):
    """Return the protocol of LFW fold by fold, with a threshold below and between all scores."""
    levels = np.unique(pairs.scores.astype(float))
    limits = [levels[0] - 1, *(levels[1:] + levels[:-1]) / 2]
    accuracies = []
    for fold in np.unique(folds):
        own, rest = folds == fold, folds != fold
        best = max(limits, key=lambda limit: accuracy_of(pairs, rest, limit))
        accuracies.append(accuracy_of(pairs, own, best))
    return np.mean(accuracies)


def accuracy_of(pairs, mask, limit):
    said, same = pairs.scores[mask] > limit, pairs.same[mask]
    return (said[same].mean() + (~said[~same]).mean()) / 2


def test_the_accuracy_of_a_fold_has_the_threshold_of_the_others():
    embeddings, persons = drawn(people=12, each=4)
    folds = deal_people(persons, 4)
    pairs = all_pairs(embeddings, persons)
    pairs = pairs.where(folds[pairs.rows[0]] == folds[pairs.rows[1]])
    of_pair = folds[pairs.rows[0]]

    found = fold_accuracy(pairs, of_pair, persons, np.ones((1, len(persons))))

    assert found == pytest.approx(lfw_by_hand(pairs, of_pair))


def test_people_who_were_not_drawn_have_no_part_in_the_accuracy():
    embeddings, persons = drawn(people=12, each=4)
    folds = deal_people(persons, 4)
    pairs = all_pairs(embeddings, persons)
    pairs = pairs.where(folds[pairs.rows[0]] == folds[pairs.rows[1]])
    gone = folds == 2
    weights = np.where(gone | (persons == np.flatnonzero(~gone)[0] // 4), 0.0, 1.0)[None]

    found = fold_accuracy(pairs, folds[pairs.rows[0]], persons, weights)

    kept = pairs.where((weights[0, pairs.rows] > 0).all(axis=0))
    assert found == pytest.approx(lfw_by_hand(kept, folds[kept.rows[0]]), abs=0.03)


def test_one_fold_alone_has_no_threshold():
    embeddings, persons = drawn(people=3)
    pairs = all_pairs(embeddings, persons)
    found = fold_accuracy(pairs, np.zeros(len(pairs), np.int64), persons, np.ones((1, 12)))
    assert np.isnan(found).all()


def test_many_scores_are_taken_by_quantiles(monkeypatch):
    embeddings, persons = drawn(people=20, each=4)
    folds = deal_people(persons)
    pairs = all_pairs(embeddings, persons)
    pairs = pairs.where(folds[pairs.rows[0]] == folds[pairs.rows[1]])
    ones = np.ones((1, len(persons)))
    exact = fold_accuracy(pairs, folds[pairs.rows[0]], persons, ones)
    monkeypatch.setattr("transfer.scoring.verification._MOST_THRESHOLDS", 60)

    assert fold_accuracy(pairs, folds[pairs.rows[0]], persons, ones) == pytest.approx(
        exact, abs=0.05
    )
