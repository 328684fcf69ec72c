"""Are two pictures of one person? Scores of pairs, under thousands of weightings at once.

A resample draws people. A pair of two people then counts as often as the product of how often each
was drawn; a pair of one person as often as that person was: nobody is compared with their own copy.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from transfer.scoring.ranking import Measure, rank_measures
from transfer.scoring.weighting import ratio, totals

FOLDS = 10
"""Of the protocol of LFW (Huang et al. 2007, Labeled Faces in the Wild, View 2)."""

Vectors = NDArray[np.float32]

_MOST_PAIRS = 1_000_000
_MOST_RESAMPLED_PAIRS = 200_000
_MOST_EXACT_PAIRS = 20_000
_ROUNDED_TO = 2048  # parts of a cosine; the ends of an interval are not known better
_PAIRS_AT_ONCE = 50_000  # of the cosines, which all at once need not fit
_WEIGHTS_AT_ONCE = 8_000_000
_MOST_THRESHOLDS = 2048
_CHUNK_BYTES = 64_000_000
_FALSE_ACCEPTS = 10  # that a rate should rest on


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows that are compared.

    Attributes:
        rows: numbers of both, (2, P) int64.
        same: whether one person is in both, (P,).
        scores: how alike they are, the cosine of their embeddings, (P,) float32.
    """

    rows: NDArray[np.int64]
    same: NDArray[np.bool_]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, mask: NDArray[np.bool_]) -> "Pairs":
        """Return the pairs for which `mask` (P,) is true."""
        return Pairs(self.rows[:, mask], self.same[mask], self.scores[mask])


def unit_vectors(embeddings: Vectors) -> Vectors:
    """Return embeddings (N, D) at length 1: their products are cosines."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    vectors: Vectors = embeddings / np.maximum(lengths, np.finfo(np.float32).tiny)
    return vectors


def all_pairs(
    embeddings: Vectors,
    persons: NDArray[np.int64],
    *,
    sessions: NDArray[np.str_] | None = None,
    resampled: bool = False,
) -> Pairs:
    """Return all pairs of two rows.

    Where they are more than a million (200,000 under several weightings, `resampled`), it is all
    pairs of one person, and so many of different people, drawn once with a seed of its own. Of more
    than 20,000 under several weightings scores are rounded to 1/2048, so that many are equal, and
    are counted together. Two pictures of one person from one session are left out: they tell that
    session again.

    Args:
        embeddings: (N, D).
        persons: who is in each row, (N,).
        sessions: when each row was taken, (N,), "" where that is not known.
        resampled: many weightings are to follow.
    """
    rows = _row_pairs(persons, _MOST_RESAMPLED_PAIRS if resampled else _MOST_PAIRS)
    same = persons[rows[0]] == persons[rows[1]]
    if sessions is not None:
        one, other = sessions[rows]
        again = same & (one == other) & (one != "")
        rows, same = rows[:, ~again], same[~again]
    pairs = compare(embeddings, rows, same)
    if not resampled or len(pairs) <= _MOST_EXACT_PAIRS:
        return pairs
    rounded = np.round(pairs.scores * _ROUNDED_TO) / _ROUNDED_TO
    return replace(pairs, scores=rounded.astype(np.float32))


def compare(embeddings: Vectors, rows: NDArray[np.int64], same: NDArray[np.bool_]) -> Pairs:
    """Return given pairs of rows (2, P) with how alike they are."""
    vectors = unit_vectors(embeddings)
    parts = np.array_split(np.arange(rows.shape[1]), max(1, -(-rows.shape[1] // _PAIRS_AT_ONCE)))
    cosines = [(vectors[rows[0, part]] * vectors[rows[1, part]]).sum(axis=1) for part in parts]
    return Pairs(rows, same, np.concatenate(cosines))


def measure_pairs(
    pairs: Pairs,
    groups: NDArray[np.int64],
    weights: NDArray[np.float64],
    *measures: Measure,
) -> list[NDArray[np.float64]]:
    """Return each of `measures` of the ROC of `pairs`, under each weighting, (R,).

    Args:
        pairs: of N rows; a person in both is a positive.
        groups: which rows are drawn together, (N,): a person, or a session, or each alone.
        weights: (R, N), not negative, the same for all rows of a group.
        measures: see `rank_measures`.
    """
    if not len(pairs):
        return [np.full(len(weights), np.nan) for _ in measures]
    weighing = _Weighing(pairs, groups)
    step = max(1, _WEIGHTS_AT_ONCE // weighing.count)
    parts = [
        rank_measures(
            pairs.scores,
            pairs.same,
            weighing.of(weights[start : start + step]),
            *measures,
            columns=weighing.columns,
        )
        for start in range(0, len(weights), step)
    ]
    return [np.concatenate(values) for values in zip(*parts, strict=True)]


def enough_people(people: int, rate: float) -> bool:
    """Say whether pairs of so many people can tell a rate of false accepts.

    Pictures of two people are alike again and again: what counts is how many pairs of people there
    are, and ten of them should be accepted falsely.
    """
    return pairs_of_people(people) * rate >= _FALSE_ACCEPTS * (1 - 1e-9)


def pairs_of_people(people: int) -> int:
    """Return how many pairs of two different people there are."""
    return people * (people - 1) // 2


def deal_people(persons: NDArray[np.int64], folds: int = FOLDS) -> NDArray[np.int64]:
    """Return the fold of each row, (N,): people are dealt out in a random, fixed order."""
    people, numbers = np.unique(persons, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(people))
    fold_of_person = np.empty(len(people), np.int64)
    fold_of_person[order] = np.arange(len(people)) % folds
    return fold_of_person[numbers]


def fold_accuracy(
    pairs: Pairs,
    folds: NDArray[np.int64],
    groups: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the mean accuracy over folds (R,), each by the threshold that is best on the others.

    Pairs of one person and pairs of two count alike in the accuracy, as in the 300 and 300 of a
    fold of LFW. Thresholds lie half way between two scores that occur; of several as good it is the
    lowest. Of more than 2,048 different scores, so many quantiles take their place. A fold that has
    no pairs of either kind is left out; it is nan where all are.

    Args:
        pairs: compared.
        folds: of the pairs, (P,).
        groups: see `measure_pairs`.
        weights: likewise.
    """
    if not len(pairs):
        return np.full(len(weights), np.nan)
    limits = _thresholds(pairs.scores)
    count, width = int(folds.max()) + 1, len(limits) + 1
    # Number of the thresholds that a score passes, by fold and by whether it is of one person.
    passed = np.searchsorted(limits, pairs.scores)
    numbers = (folds * 2 + pairs.same) * width + passed
    weighing = _Weighing(pairs, groups)
    most = min(_WEIGHTS_AT_ONCE // weighing.count, _CHUNK_BYTES // (16 * count * width))
    step, parts = max(1, most), []
    for start in range(0, len(weights), step):
        chosen = weighing.of(weights[start : start + step])
        sums = totals(chosen, numbers, count * 2 * width, weighing.columns)
        at_least = sums.reshape(-1, count, 2, width)[..., ::-1].cumsum(axis=-1)[..., ::-1]
        parts.append(_mean_over_folds(at_least))
    return np.concatenate(parts)


class _Weighing:
    """What pairs weigh: few different weights, since the rows of a group share theirs."""

    def __init__(self, pairs: Pairs, groups: NDArray[np.int64]) -> None:
        _, self._firsts, numbers = np.unique(groups, return_index=True, return_inverse=True)
        low, high = np.sort(numbers[pairs.rows], axis=0)
        kinds, self.columns = np.unique(low * len(self._firsts) + high, return_inverse=True)
        self._one, self._other = np.divmod(kinds, len(self._firsts))
        self.count = len(kinds)

    def of(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the different weights (R, Q) under `weights` (R, N)."""
        of_group = weights[:, self._firsts]
        both: NDArray[np.float64] = of_group[:, self._one]
        apart = self._one != self._other
        both[:, apart] *= of_group[:, self._other[apart]]
        return both


def _mean_over_folds(accepted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the accuracy (R,) from what passes (R, folds, two or one person, thresholds + 1).

    The first of the thresholds lets all pass.
    """
    others = accepted.sum(axis=1, keepdims=True) - accepted
    best = np.nan_to_num(_accuracy(others), nan=-1.0).argmax(axis=-1)
    own = np.take_along_axis(_accuracy(accepted), best[..., None], axis=-1)[..., 0]
    defined = ~np.isnan(own) & (others[..., 0] > 0).all(axis=2)
    return ratio(np.where(defined, own, 0.0).sum(axis=1), defined.sum(axis=1))


def _accuracy(accepted: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = ratio(accepted, accepted[..., :1])
    accuracy: NDArray[np.float64] = (shares[..., 1, :] + 1 - shares[..., 0, :]) / 2
    return accuracy


def _thresholds(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    levels = np.unique(scores.astype(np.float64))
    if len(levels) > _MOST_THRESHOLDS:
        levels = np.unique(np.quantile(scores, np.linspace(0, 1, _MOST_THRESHOLDS)))
    middles: NDArray[np.float64] = (levels[1:] + levels[:-1]) / 2
    return middles


def _row_pairs(persons: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return pairs of rows (2, P): all, or where they are more than `most` a part of them."""
    count = len(persons)
    if count * (count - 1) // 2 <= most:
        return np.stack(np.triu_indices(count, k=1))
    rows = np.argsort(persons, kind="stable")
    people = np.split(rows, np.flatnonzero(np.diff(persons[rows])) + 1)
    alike = [person[np.stack(np.triu_indices(len(person), k=1))] for person in people]
    drawn = np.random.default_rng(0).integers(count, size=(2, most))
    unlike = drawn[:, persons[drawn[0]] != persons[drawn[1]]]
    return np.concatenate([*alike, unlike], axis=1)
