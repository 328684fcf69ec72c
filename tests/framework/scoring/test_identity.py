"""Who is who, against a search picture by picture and all pairs written out."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring import identity, verification
from transfer.scoring.identity import identity_class_scores, identity_scores
from transfer.scoring.intervals import score_with_intervals

PERSONS = ("ann", "bob", "eve", "kim")


def predictions_of(targets, embeddings, groups=None):
    rows = np.arange(len(targets))
    return Predictions(
        classes=PERSONS,
        keys=rows.astype(np.str_),
        groups=rows if groups is None else groups,
        targets=np.asarray(targets, dtype=np.int64),
        probabilities=np.full((len(rows), 4), 0.25, dtype=np.float32),
        kind=TargetKind.IDENTITY,
        embeddings=np.asarray(embeddings, dtype=np.float32),
    )


def drawn(rows=40, seed=0):
    """Three persons with many pictures each, and one with a single picture."""
    generator = np.random.default_rng(seed)
    targets = np.append(generator.integers(3, size=rows - 1), 3)
    centres = generator.normal(size=(4, 5))
    return predictions_of(targets, centres[targets] + generator.normal(size=(rows, 5)))


def by_hand(predictions, weights):
    """Return rank-1 of one weighting, picture by picture: the slow way."""
    vectors = predictions.embeddings / np.linalg.norm(predictions.embeddings, axis=1)[:, None]
    right = judged = 0.0
    for row, weight in enumerate(weights):
        others = [n for n in range(len(weights)) if n != row and weights[n] > 0]
        same = [n for n in others if predictions.targets[n] == predictions.targets[row]]
        if weight and same:
            nearest = max(others, key=lambda n: vectors[n] @ vectors[row])
            judged += weight
            right += weight * (nearest in same)
    return right / judged


def test_rank_1_is_that_of_a_search_picture_by_picture():
    predictions = drawn()
    weights = np.random.default_rng(1).integers(0, 3, size=(6, 40)).astype(np.float64)

    found = identity_scores(predictions, weights)["rank_1"]

    assert found == pytest.approx([by_hand(predictions, row) for row in weights])


def test_the_search_goes_on_where_no_kept_neighbour_has_weight(monkeypatch):
    predictions = drawn()
    weights = np.random.default_rng(1).integers(0, 2, size=(6, 40)).astype(np.float64)
    expected = identity_scores(predictions, weights)["rank_1"]

    monkeypatch.setattr(identity, "_NEIGHBOURS", 1)

    np.testing.assert_array_equal(identity_scores(predictions, weights)["rank_1"], expected)


def test_a_picture_drawn_twice_is_not_its_own_neighbour():
    # The two pictures of ann lie apart, with bob between them.
    predictions = predictions_of([0, 0, 1], [[1, 0], [0, 1], [1, 0.9]])

    assert identity_scores(predictions, np.array([[2.0, 2.0, 1.0]]))["rank_1"] == [0]


def test_the_equal_error_rate_is_over_all_pairs_with_the_product_of_their_weights():
    predictions = drawn(rows=16)
    weights = np.random.default_rng(2).integers(0, 3, size=(3, 16)).astype(np.float64)
    vectors = predictions.embeddings / np.linalg.norm(predictions.embeddings, axis=1)[:, None]

    rates = identity_scores(predictions, weights)["eer"]

    for number, row_weights in enumerate(weights):
        pairs = [
            (predictions.targets[i] == predictions.targets[j], vectors[i] @ vectors[j])
            for i in range(16)
            for j in range(i)
            for _ in range(int(row_weights[i] * row_weights[j]))
        ]
        same, cosines = (np.array(column) for column in zip(*pairs, strict=True))
        false, true, _ = sklearn_metrics.roc_curve(same, cosines, drop_intermediate=False)
        dense = np.linspace(0, 1, 2_000_001)
        at = np.abs(np.interp(dense, false, true) - (1 - dense)).argmin()
        assert rates[number] == pytest.approx(dense[at], abs=2e-6)


def test_who_has_one_picture_is_left_out_and_said():
    predictions = drawn()

    scores = score_with_intervals(predictions, identity_scores, replicates=60)

    assert scores["rank_1"].value == pytest.approx(by_hand(predictions, np.ones(40)))
    assert scores["rank_1"].low < scores["rank_1"].value < scores["rank_1"].high
    assert scores["rank_1"].note.endswith("; 1 row(s) left out, alone of their person")
    assert np.isnan(identity_class_scores(predictions, np.ones((1, 40)))["rank_1/kim"])


def test_without_two_pictures_of_anyone_nothing_can_be_said():
    alone = predictions_of([0, 1, 2, 3], np.eye(4))

    scores = identity_scores(alone, np.ones((2, 4)))

    assert all(np.isnan(values).all() for values in scores.values())


def test_a_perfect_rank_1_rests_on_the_groups_that_can_be_judged():
    targets = np.array([0, 0, 1, 1] * 10 + [2])
    predictions = predictions_of(targets, np.eye(4)[targets])

    score = score_with_intervals(predictions, identity_scores, replicates=50)["rank_1"]

    assert score.note.startswith("Wilson on 40 groups")


def test_of_too_many_pairs_all_of_one_person_and_a_part_of_the_others_are_taken(monkeypatch):
    predictions = drawn(rows=150)
    ones = np.ones((1, 150))
    exact = identity_scores(predictions, ones)["eer"]
    monkeypatch.setattr(verification, "_MOST_PAIRS", 5_000)

    one, other = verification._row_pairs(predictions.targets, 5_000)

    alike = predictions.targets[one] == predictions.targets[other]
    counts = np.bincount(predictions.targets)
    assert alike.sum() == (counts * (counts - 1) // 2).sum()
    assert 0.5 * 5_000 < (~alike).sum() <= 5_000
    assert identity_scores(predictions, ones)["eer"] == pytest.approx(exact, abs=0.02)


def test_rows_that_are_compared_in_parts_have_the_same_neighbours(monkeypatch):
    predictions = drawn()
    weights = np.random.default_rng(1).integers(0, 3, size=(6, 40)).astype(np.float64)
    expected = identity_scores(predictions, weights)["rank_1"]

    monkeypatch.setattr(identity, "_ROWS_AT_ONCE", 7)

    np.testing.assert_array_equal(identity_scores(predictions, weights)["rank_1"], expected)


def test_an_identity_without_embeddings_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="carry none"):
        identity_scores(replace(drawn(), embeddings=None), np.ones((1, 40)))
