"""What is scored of faces, against scikit-learn and the protocols written out."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn_metrics

from tasks.face_recognition.judging import Verification, identification_scores, judge
from tasks.face_recognition.settings import Settings, Use
from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.galleries import match_rates, open_set_rate
from transfer.scoring.intervals import score_with_intervals
from transfer.scoring.verification import all_pairs, deal_people, fold_accuracy


def faces(people=24, each=4, seed=0, **facts):
    generator = np.random.default_rng(seed)
    persons = np.repeat(np.arange(people), each)
    centres = generator.normal(size=(people, 8))
    embeddings = centres[persons] + generator.normal(size=(len(persons), 8))
    return Predictions(
        classes=tuple(f"person {number}" for number in range(people)),
        keys=np.arange(len(persons)).astype(np.str_),
        groups=persons.copy(),
        targets=persons,
        probabilities=np.full((len(persons), people), 1 / people, np.float32),
        kind=TargetKind.IDENTITY,
        embeddings=embeddings.astype(np.float32),
        facts=pd.DataFrame(facts) if facts else None,
    )


def ones(predictions):
    return np.ones((1, len(predictions)))


def test_the_roc_is_that_of_all_pairs():
    said = faces()
    scores = Verification(1).scores(said, ones(said))
    unit = said.embeddings / np.linalg.norm(said.embeddings, axis=1, keepdims=True)
    one, other = np.triu_indices(len(said), k=1)
    same = said.targets[one] == said.targets[other]
    cosines = (unit @ unit.T)[one, other]
    false, true, _ = sklearn_metrics.roc_curve(same, cosines)
    assert scores["auroc"] == pytest.approx(sklearn_metrics.auc(false, true), abs=1e-5)
    assert scores["tar_at_far_1e-1"] == pytest.approx(true[false <= 0.1].max(), abs=1e-5)


def test_rates_that_so_few_people_cannot_tell_are_no_numbers_and_say_so():
    said = faces(people=24)  # 276 pairs of two people
    scores, remarks = Verification(1).scores(said, ones(said)), Verification(1).remarks(said)
    assert np.isfinite(scores["tar_at_far_1e-1"]).all()
    assert np.isnan(scores["tar_at_far_1e-2"]).all()
    assert remarks["tar_at_far_1e-1"] == "24 people, 276 pairs of two people"
    assert remarks["tar_at_far_1e-2"] == (
        "not enough people: 24 people, 276 pairs of two people; 1,000 pairs are needed"
    )
    assert np.isfinite(scores["dir_at_fpir_1e-1"]).all()
    assert remarks["dir_at_fpir_1e-2"] == "not enough people: 12 strangers; 100 are needed"


def test_ten_folds_need_twenty_people():
    few, enough = faces(people=19), faces(people=20)
    assert np.isnan(Verification(1).scores(few, ones(few))["pair_accuracy"]).all()
    assert "19; 20 are needed" in Verification(1).remarks(few)["pair_accuracy"]
    found = Verification(1).scores(enough, ones(enough))["pair_accuracy"]
    folds = deal_people(enough.targets)
    pairs = all_pairs(enough.embeddings, enough.targets)
    inside = pairs.where(folds[pairs.rows[0]] == folds[pairs.rows[1]])
    expected = fold_accuracy(inside, folds[inside.rows[0]], enough.groups, ones(enough))
    np.testing.assert_array_equal(found, expected)
    assert 0.5 < found[0] < 1


def test_given_pairs_take_the_place_of_all_pairs_in_the_accuracy():
    # Two folds of one pair of each kind: rows 0 and 1 are one person, rows 0 and 8 are two.
    cells = [""] * 24
    for name, pair in {"0:0": (0, 1), "0:1": (0, 8), "1:2": (4, 5), "1:3": (5, 12)}.items():
        for row in pair:
            cells[row] = f"{cells[row]} {name}".strip()
    said = faces(people=6, pairs=cells)
    scores, remarks = Verification(1).scores(said, ones(said)), Verification(1).remarks(said)
    unit = said.embeddings / np.linalg.norm(said.embeddings, axis=1, keepdims=True)
    alike = {n: unit[a] @ unit[b] for n, (a, b) in enumerate([(0, 1), (0, 8), (4, 5), (5, 12)])}
    levels = sorted(alike.values())
    limits = [-2, *(np.array(levels[1:]) + levels[:-1]) / 2]

    def accuracy(fold, limit):
        return ((alike[2 * fold] > limit) + (alike[2 * fold + 1] <= limit)) / 2

    best = [max(limits, key=lambda limit: accuracy(fold, limit)) for fold in (1, 0)]
    assert scores["pair_accuracy"] == pytest.approx(
        np.mean([accuracy(0, best[0]), accuracy(1, best[1])])
    )
    assert remarks["pair_accuracy"] == "4 given pairs"


def test_sessions_are_known_to_pairs_and_searches():
    sessions = np.tile(["a", "a", "b", "b"], 24)
    said, plain = faces(session=sessions), faces()
    found = Verification(2).scores(said, ones(said))
    vectors, persons = said.embeddings, said.targets
    about = {"each": 2, "sessions": sessions}
    expected = match_rates(vectors, persons, ones(said), (1, 5), **about)
    np.testing.assert_array_equal([found["rank_1"], found["rank_5"]], expected)
    rate = open_set_rate(vectors, persons, ones(said), 0.1, **about)
    np.testing.assert_array_equal(found["dir_at_fpir_1e-1"], rate)
    assert found["eer"] != Verification(2).scores(plain, ones(plain))["eer"]


def test_every_score_that_is_a_number_has_an_interval():
    said = faces(people=24)
    judging = judge(Settings(use=Use.VERIFICATION))
    scores = score_with_intervals(said, judging.scores, replicates=100)
    for name, score in scores.items():
        if np.isfinite(score.value):
            assert score.low <= score.value <= score.high or name == "pair_accuracy", name
        else:
            assert score.low is None
    assert {judging.headline, *judging.shown} == set(scores)


def test_the_roc_is_drawn_unless_there_is_none():
    assert set(Verification(1).figures(faces(people=5))) == {"roc"}
    assert Verification(1).figures(faces(people=5, each=1)) == {}


def test_of_a_closed_set_the_person_is_among_the_five_most_probable():
    said = faces(people=8, each=2)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(8), 16).astype(np.float32)
    said = Predictions(**{**vars(said), "probabilities": probabilities})
    weights = np.random.default_rng(1).integers(0, 3, size=(4, 16)).astype(float)
    found = identification_scores(said, weights)["rank_5"]
    for row, value in zip(weights, found, strict=True):
        expected = sklearn_metrics.top_k_accuracy_score(
            said.targets, probabilities, k=5, labels=np.arange(8), sample_weight=row
        )
        assert value == pytest.approx(expected)
    few = faces(people=5)
    assert np.isnan(identification_scores(few, ones(few))["rank_5"]).all()


def test_what_is_asked_decides_how_it_is_judged():
    assert judge(Settings()).headline is None
    assert judge(Settings(use=Use.VERIFICATION)).headline == "auroc"
