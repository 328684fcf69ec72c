"""Who is it? Searches in galleries, whose people may be there or not, under many weightings.

A gallery shows each of its people by one direction: the mean of the pictures they are enrolled by.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.scoring.ranking import hits_at, rank_measures
from transfer.scoring.verification import Vectors, unit_vectors
from transfer.scoring.weighting import ratio

DRAWS = 10
"""Of galleries; a score is the mean over them."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """People who are known.

    Attributes:
        persons: numbers of the people, (E,), ascending.
        templates: a direction of length 1 for each, (E, D) float32.
    """

    persons: NDArray[np.int64]
    templates: Vectors

    @classmethod
    def of(cls, embeddings: Vectors, persons: NDArray[np.int64]) -> "Gallery":
        """Return the gallery of people (n,), each enrolled by all of their embeddings (n, D)."""
        people, numbers = np.unique(persons, return_inverse=True)
        sums = np.zeros((len(people), embeddings.shape[1]), np.float32)
        np.add.at(sums, numbers, unit_vectors(embeddings))
        return cls(people, unit_vectors(sums))

    def similarities(self, embeddings: Vectors) -> NDArray[np.float32]:
        """Return how alike pictures (n, D) and people are: cosines (n, E)."""
        cosines: NDArray[np.float32] = unit_vectors(embeddings) @ self.templates.T
        return cosines


@dataclass(frozen=True, eq=False)
class _Enrolment:
    """Which rows make a gallery, and which search in it."""

    gallery: NDArray[np.int64]
    probes: NDArray[np.int64]


def match_rates(  # pictures, and how galleries are drawn of them
    embeddings: Vectors,
    persons: NDArray[np.int64],
    weights: NDArray[np.float64],
    ranks: Sequence[int],
    *,
    each: int,
    sessions: NDArray[np.str_] | None = None,
) -> list[NDArray[np.float64]]:
    """Return how often one's own template is among the nearest 1, 5, ...: the CMC, each (R,).

    Everyone is enrolled by `each` pictures, drawn `DRAWS` times; the others are searched for. Who
    else is in the gallery stays as it is under all weightings: without some of them it would be
    smaller, and easier. A rank that reaches all people is nan.

    Args:
        embeddings: (N, D).
        persons: who is in each row, (N,).
        weights: (R, N), not negative.
        ranks: to be reached.
        each: pictures that a person is enrolled by; who has no more is in the gallery only.
        sessions: when each row was taken, (N,), "" where that is not known; a picture from a
            session that its person is enrolled by is not searched for.
    """
    reached = np.zeros((len(ranks), len(persons)))
    asked = np.zeros(len(persons))
    for enrolment in _draws(persons, each, sessions):
        gallery = Gallery.of(embeddings[enrolment.gallery], persons[enrolment.gallery])
        rank, _ = _search(gallery, embeddings, persons, enrolment.probes)
        asked[enrolment.probes] += 1
        for number, wanted in enumerate(ranks):
            reached[number, enrolment.probes] += rank <= wanted
    people = len(np.unique(persons))
    rates = [ratio(weights @ hits, weights @ asked) for hits in reached]
    return [
        rate if wanted < people else np.full(len(weights), np.nan)
        for rate, wanted in zip(rates, ranks, strict=True)
    ]


def open_set_rate(  # pictures, and how galleries are drawn of them
    embeddings: Vectors,
    persons: NDArray[np.int64],
    weights: NDArray[np.float64],
    false_rate: float,
    *,
    each: int,
    sessions: NDArray[np.str_] | None = None,
) -> NDArray[np.float64]:
    """Return how often people of a gallery are named rightly while strangers are turned away, (R,).

    That is the detection and identification rate (Phillips, Grother and Micheals 2011, Evaluation
    methods in face recognition): one's own template is the nearest and passes a threshold that at
    most `false_rate` of the strangers' pictures pass. In each of `DRAWS` draws one half of the
    people, by chance, is enrolled; the others are strangers.

    Args:
        embeddings: (N, D).
        persons: who is in each row, (N,).
        weights: (R, N), not negative.
        false_rate: of strangers who are taken for someone (FPIR).
        each: pictures that a person is enrolled by.
        sessions: see `match_rates`.
    """
    people, rates = np.unique(persons), []
    for draw, enrolment in enumerate(_draws(persons, each, sessions)):
        enrolled = np.random.default_rng((1, draw)).permutation(people)[: len(people) // 2]
        inside = np.isin(persons, enrolled)
        rows = enrolment.gallery[inside[enrolment.gallery]]
        probes = enrolment.probes[inside[enrolment.probes]]
        strangers = np.flatnonzero(~inside)
        if not len(rows) or not len(probes) or not len(strangers):
            continue
        gallery = Gallery.of(embeddings[rows], persons[rows])
        rank, own = _search(gallery, embeddings, persons, probes)
        nearest = gallery.similarities(embeddings[strangers]).max(axis=1)
        scores = np.concatenate([np.where(rank == 1, own, -np.inf), nearest]).astype(np.float32)
        known = np.arange(len(scores)) < len(probes)
        drawn = weights[:, np.concatenate([probes, strangers])]
        rates.append(rank_measures(scores, known, drawn, hits_at(false_rate))[0])
    if not rates:
        return np.full(len(weights), np.nan)
    # Where a resample misses all strangers of a draw, the other draws speak.
    stacked = np.stack(rates)
    defined = ~np.isnan(stacked)
    return ratio(np.where(defined, stacked, 0.0).sum(axis=0), defined.sum(axis=0))


def enough_strangers(people: int, false_rate: float) -> bool:
    """Say whether so many strangers can tell how often one is taken for someone.

    At the rate asked for, one of them at least should be.
    """
    return people * false_rate >= 1 - 1e-9


def threshold_for(nearest: NDArray[np.float32], false_rate: float) -> float:
    """Return the threshold that at most `false_rate` of strangers' pictures pass.

    It lies half way between two of their scores, so that rounding decides nothing; above the
    highest by nothing more than a float32's next step where none may pass.

    Args:
        nearest: how alike each picture and the nearest template are, (n,); n at least 1.
        false_rate: in [0, 1).
    """
    falling = np.sort(nearest)[::-1].astype(np.float64)
    passing = int(false_rate * len(falling) * (1 + 1e-9))
    first_refused = falling[passing]
    above = falling[:passing]
    above = above[above > first_refused]  # equal scores are refused together
    if not len(above):
        return float(np.nextafter(np.float32(first_refused), np.float32(np.inf)))
    return float((first_refused + above[-1]) / 2)


def _draws(
    persons: NDArray[np.int64], each: int, sessions: NDArray[np.str_] | None
) -> Iterator[_Enrolment]:
    """Yield `DRAWS` ways to enrol everyone by `each` of their pictures, or by all they have."""
    rows_of = [np.flatnonzero(persons == person) for person in np.unique(persons)]
    for draw in range(DRAWS):
        random, gallery, probes = np.random.default_rng((0, draw)), [], []
        for rows in rows_of:
            shuffled = random.permutation(rows)
            enrolled, others = shuffled[:each], shuffled[each:]
            if sessions is not None:
                known = sessions[enrolled]
                others = others[~np.isin(sessions[others], known[known != ""])]
            gallery.append(enrolled)
            probes.append(others)
        yield _Enrolment(np.sort(np.concatenate(gallery)), np.sort(np.concatenate(probes)))


def _search(
    gallery: Gallery, embeddings: Vectors, persons: NDArray[np.int64], probes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return rank (n,) and similarity (n,) of the own template of each of `probes`, from 1 on.

    One that is as alike as another comes behind it.
    """
    similarities = gallery.similarities(embeddings[probes])
    column = np.searchsorted(gallery.persons, persons[probes])
    own = np.take_along_axis(similarities, column[:, None], axis=1)
    rank: NDArray[np.int64] = (similarities >= own).sum(axis=1)
    return rank, own[:, 0]
