"""How faces are judged: who of a closed set it is, or whether two pictures are of one person."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.face_recognition.adapter import IN_PAIRS, SESSION
from tasks.face_recognition.given_pairs import pairs_among
from tasks.face_recognition.settings import Settings, Use
from transfer import Judge
from transfer.samples.predictions import Predictions
from transfer.scoring.galleries import enough_strangers, match_rates, open_set_rate
from transfer.scoring.identity import embeddings_of
from transfer.scoring.ranking import equal_error_rate, hits_at, roc_area
from transfer.scoring.verification import (
    FOLDS,
    Pairs,
    all_pairs,
    compare,
    deal_people,
    enough_people,
    fold_accuracy,
    measure_pairs,
    pairs_of_people,
)
from transfer.scoring.weighting import ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FALSE_ACCEPTS = {"tar_at_far_1e-1": 1e-1, "tar_at_far_1e-2": 1e-2, "tar_at_far_1e-3": 1e-3}
FALSE_NAMES = {"dir_at_fpir_1e-1": 1e-1, "dir_at_fpir_1e-2": 1e-2}
_RANKS = {"rank_1": 1, "rank_5": 5}
_FEWEST_IN_FOLDS = 2 * FOLDS  # people: a fold of one has no pair of two
_NEAR = 5

Scores = dict[str, NDArray[np.float64]]


def judge(settings: Settings) -> Judge:
    """Return how faces are judged, by what is asked of them."""
    if settings.use is Use.IDENTIFICATION:
        return Judge(scores=identification_scores, shown=("rank_5",))
    verification = Verification(settings.enrolled)
    return Judge(
        scores=verification.scores,
        remarks=verification.remarks,
        figures=verification.figures,
        shown=("eer", *FALSE_ACCEPTS, "pair_accuracy", *_RANKS, *FALSE_NAMES),
        headline="auroc",
    )


def identification_scores(predictions: Predictions, weights: NDArray[np.float64]) -> Scores:
    """Return `rank_5` (R,): how often the person is among the five most probable ones.

    The most probable one alone is `accuracy`, which the kind of target has. Of five people or fewer
    it is nan.
    """
    if len(predictions.classes) <= _NEAR:
        return {"rank_5": np.full(len(weights), np.nan)}
    own = np.take_along_axis(predictions.probabilities, predictions.targets[:, None], axis=1)
    found = (predictions.probabilities >= own).sum(axis=1) <= _NEAR
    return {"rank_5": ratio(weights @ found.astype(np.float64), weights.sum(axis=1))}


class Verification:
    """Pictures that are compared: pairs, folds, and searches in galleries."""

    def __init__(self, enrolled: int) -> None:
        """Enrol people by so many pictures in the searches."""
        self._enrolled = enrolled

    def scores(self, predictions: Predictions, weights: NDArray[np.float64]) -> Scores:
        """Return what the ROC of all pairs tells, the accuracy over folds, and searches; each (R,).

        `auroc`, `eer`, `tar_at_far_1e-1` and so on; `pair_accuracy`, by the protocol of LFW, over
        the given pairs where there are any; `rank_1` and `rank_5` (CMC), which take the place of
        the one among all other pictures; `dir_at_fpir_1e-1` and so on. What there are too few
        people for is nan.

        Args:
            predictions: N rows with embeddings.
            weights: (R, N), not negative.
        """
        vectors, persons = embeddings_of(predictions), predictions.targets
        sessions, groups = _sessions(predictions), predictions.groups
        people = len(np.unique(persons))
        pairs = all_pairs(vectors, persons, sessions=sessions, resampled=len(weights) > 1)
        rates = [hits_at(rate) for rate in FALSE_ACCEPTS.values()]
        area, errors, *hits = measure_pairs(
            pairs, groups, weights, roc_area, equal_error_rate, *rates
        )
        nothing = np.full(len(weights), np.nan)
        scores = {"auroc": area, "eer": errors}
        for (name, rate), found in zip(FALSE_ACCEPTS.items(), hits, strict=True):
            scores[name] = found if enough_people(people, rate) else nothing
        in_folds, folds = _in_folds(predictions, pairs)
        scores["pair_accuracy"] = fold_accuracy(in_folds, folds, groups, weights)
        matches = match_rates(
            vectors, persons, weights, [*_RANKS.values()], each=self._enrolled, sessions=sessions
        )
        scores |= dict(zip(_RANKS, matches, strict=True))
        for name, rate in FALSE_NAMES.items():
            scores[name] = nothing
            if enough_strangers(people - people // 2, rate):
                scores[name] = open_set_rate(
                    vectors, persons, weights, rate, each=self._enrolled, sessions=sessions
                )
        return scores

    def remarks(self, predictions: Predictions) -> dict[str, str]:
        """Return how many people a score rests on, or that they are too few for it."""
        people = len(np.unique(predictions.targets))
        known = f"{people} people, {pairs_of_people(people):,} pairs of two people"
        remarks = {"auroc": known, "eer": known}
        for name, rate in FALSE_ACCEPTS.items():
            few = f"not enough people: {known}; {10 / rate:,.0f} pairs are needed"
            remarks[name] = known if enough_people(people, rate) else few
        given, _ = pairs_among(_given(predictions))
        if given.size:
            remarks["pair_accuracy"] = f"{given.shape[1]:,} given pairs"
        elif people < _FEWEST_IN_FOLDS:
            remarks["pair_accuracy"] = (
                f"not enough people: {people}; {_FEWEST_IN_FOLDS} are needed for {FOLDS} folds"
            )
        enrolled = f"{self._enrolled} picture(s) a person, gallery of"
        remarks |= dict.fromkeys(_RANKS, f"{enrolled} {people} people")
        strangers = people - people // 2
        for name, rate in FALSE_NAMES.items():
            remarks[name] = f"{enrolled} {people // 2} people, {strangers} strangers"
            if not enough_strangers(strangers, rate):
                remarks[name] = (
                    f"not enough people: {strangers} strangers; {1 / rate:,.0f} are needed"
                )
        return remarks

    def figures(self, predictions: Predictions) -> "dict[str, Figure]":
        """Return the ROC of all pairs, the false accepts by powers of ten."""
        from matplotlib.figure import Figure  # noqa: PLC0415  # half a second that only a run pays

        pairs = all_pairs(
            embeddings_of(predictions), predictions.targets, sessions=_sessions(predictions)
        )
        if pairs.same.all() or not pairs.same.any():
            return {}
        order = np.argsort(-pairs.scores, kind="stable")
        taken = pairs.same[order].cumsum() / pairs.same.sum()
        false = (~pairs.same[order]).cumsum() / (~pairs.same).sum()
        last = np.append(np.diff(pairs.scores[order]) != 0, [True])  # equal scores are one point
        figure = Figure(figsize=(6, 5), layout="constrained")
        axes = figure.subplots()
        axes.plot(false[last], taken[last])
        axes.plot(axis := np.geomspace(1e-4, 1), axis, linestyle=":")
        axes.set(
            xscale="log",
            xlim=(1e-4, 1),
            ylim=(0, 1),
            title=f"one person or two: {len(pairs):,} pairs",
            xlabel="pairs of two people that are accepted",
            ylabel="pairs of one person that are accepted",
        )
        return {"roc": figure}


def _in_folds(predictions: Predictions, pairs: Pairs) -> tuple[Pairs, NDArray[np.int64]]:
    """Return the pairs whose accuracy counts, given ones or all in folds, and the fold of each."""
    rows, folds = pairs_among(_given(predictions))
    persons = predictions.targets
    if rows.size:
        same = persons[rows[0]] == persons[rows[1]]
        return compare(embeddings_of(predictions), rows, same), folds
    if len(np.unique(persons)) < _FEWEST_IN_FOLDS:
        return pairs.where(np.zeros(len(pairs), np.bool_)), folds
    fold_of_row = deal_people(persons)
    one, other = fold_of_row[pairs.rows]
    return pairs.where(one == other), one[one == other]


def _sessions(predictions: Predictions) -> NDArray[np.str_]:
    return _texts(predictions, SESSION)


def _given(predictions: Predictions) -> NDArray[np.str_]:
    return _texts(predictions, IN_PAIRS)


def _texts(predictions: Predictions, name: str) -> NDArray[np.str_]:
    """Return the cells of a free column, "" where there is none."""
    facts = predictions.facts
    if facts is None or name not in facts:
        return np.full(len(predictions), "")
    return facts[name].to_numpy(dtype=np.str_)
