"""Searches in galleries, against a search picture by picture and small cases by hand."""

import numpy as np
import pytest

from transfer.scoring import galleries
from transfer.scoring.galleries import (
    Gallery,
    enough_strangers,
    match_rates,
    open_set_rate,
    threshold_for,
)


def drawn(people=8, each=5, seed=0, noise=1.0):
    generator = np.random.default_rng(seed)
    persons = np.repeat(np.arange(people), each)
    centres = generator.normal(size=(people, 6))
    spread = noise * generator.normal(size=(len(persons), 6))
    return (centres[persons] + spread).astype(np.float32), persons


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_a_person_is_the_mean_direction_of_their_pictures():
    embeddings = np.array([[2, 0], [0, 0.5], [-1, 0]], np.float32)

    gallery = Gallery.of(embeddings, np.array([7, 7, 3]))

    assert gallery.persons.tolist() == [3, 7]
    np.testing.assert_allclose(gallery.templates, [[-1, 0], [0.5**0.5, 0.5**0.5]], atol=1e-6)
    np.testing.assert_allclose(
        gallery.similarities(np.array([[3, 0]], np.float32)), [[-1, 0.5**0.5]], atol=1e-6
    )


def test_match_rates_are_those_of_a_search_picture_by_picture():
    embeddings, persons = drawn()
    weights = np.random.default_rng(1).multinomial(8, [1 / 8] * 8, size=3)[:, persons].astype(float)

    found = match_rates(embeddings, persons, weights, (1, 3), each=2)

    hits = np.zeros((2, len(weights)))
    asked = np.zeros(len(weights))
    for enrolment in galleries._draws(persons, 2, None):
        assert len(enrolment.gallery) == 16
        templates = {
            person: unit(
                sum(unit(embeddings[row]) for row in enrolment.gallery if persons[row] == person)
            )
            for person in range(8)
        }
        for probe in enrolment.probes:
            likeness = {p: unit(embeddings[probe]) @ t for p, t in templates.items()}
            nearest = sorted(likeness, key=likeness.get, reverse=True)
            asked += weights[:, probe]
            for place, rank in enumerate((1, 3)):
                hits[place] += weights[:, probe] * (persons[probe] in nearest[:rank])
    np.testing.assert_allclose(found, hits / asked)


def test_a_picture_from_an_enrolled_session_is_not_searched_for():
    _, persons = drawn(people=3, each=6)
    sessions = np.tile(["a", "a", "b", "b", "", ""], 3)

    for enrolment in galleries._draws(persons, 1, sessions):
        for person in range(3):
            enrolled = enrolment.gallery[persons[enrolment.gallery] == person]
            probes = enrolment.probes[persons[enrolment.probes] == person]
            (session,) = sessions[enrolled]
            assert len(probes) == (5 if session == "" else 4)
            assert session == "" or session not in sessions[probes]


def test_who_has_one_picture_is_in_the_gallery_only():
    persons = np.array([0, 0, 1])
    for enrolment in galleries._draws(persons, 1, None):
        assert 2 in enrolment.gallery
        assert len(enrolment.probes) == 1


def test_a_rank_that_reaches_everyone_says_nothing():
    embeddings, persons = drawn(people=5)
    one, five = match_rates(embeddings, persons, np.ones((1, 25)), (1, 5), each=1)
    assert 0 < one[0] <= 1
    assert np.isnan(five).all()


def test_the_open_set_rate_is_that_of_thresholds_set_one_by_one():
    embeddings, persons = drawn(people=10)

    found = open_set_rate(embeddings, persons, np.ones((1, 50)), 0.2, each=2)

    rates = []
    for draw, enrolment in enumerate(galleries._draws(persons, 2, None)):
        enrolled = np.random.default_rng((1, draw)).permutation(10)[:5]
        rows = [row for row in enrolment.gallery if persons[row] in enrolled]
        gallery = Gallery.of(embeddings[rows], persons[rows])
        strangers = embeddings[~np.isin(persons, enrolled)]
        refused = np.sort(gallery.similarities(strangers).max(axis=1))[::-1][5]  # 25: five pass
        probes = [row for row in enrolment.probes if persons[row] in enrolled]
        likeness = gallery.similarities(embeddings[probes])
        right = gallery.persons[likeness.argmax(axis=1)] == persons[probes]
        rates.append((right & (likeness.max(axis=1) > refused)).mean())
    assert found == pytest.approx(np.mean(rates))


def test_strangers_whom_nobody_drew_leave_no_rate():
    embeddings, persons = drawn(people=4)
    assert np.isnan(open_set_rate(embeddings, persons, np.zeros((2, 20)), 0.1, each=1)).all()
    assert np.isnan(open_set_rate(embeddings[:5], persons[:5], np.ones((1, 5)), 0.1, each=1)).all()


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 0.3, 0.5])
def test_at_most_so_many_strangers_pass_a_threshold_and_one_more_would_be_too_many(rate):
    nearest = np.random.default_rng(0).permutation(20).astype(np.float32) / 20

    limit = threshold_for(nearest, rate)

    passing = int((nearest >= limit).sum())
    assert passing == int(rate * 20)
    assert limit < 1


def test_equal_strangers_are_refused_together():
    nearest = np.array([0.5, 0.5, 0.5, 0.1], np.float32)
    limit = threshold_for(nearest, 0.5)
    assert limit > 0.5
    assert threshold_for(np.array([0.9, 0.5, 0.5, 0.1], np.float32), 0.5) == pytest.approx(0.7)


def test_a_rate_needs_strangers_of_whom_one_is_taken_for_someone():
    assert enough_strangers(10, 0.1)
    assert not enough_strangers(9, 0.1)
    assert enough_strangers(100, 0.01)
