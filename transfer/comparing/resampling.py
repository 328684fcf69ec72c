"""Two sets of answers under thousands of resamples, and under thousands of swaps."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from transfer.samples.predictions import Predictions
from transfer.scoring.decisions import UNFITTED
from transfer.scoring.intervals import CHUNK_BYTES, resampled_weights
from transfer.scoring.weighting import Scorer

Draws = Mapping[str, NDArray[np.float64]]
"""Each score under each of R weightings, (R,)."""

_SAME = 1e-9


def _nobody_waits(count: int) -> None:
    """Do nothing."""


def points(said: Predictions, scorer: Scorer) -> dict[str, float]:
    """Return each score of the rows as they are."""
    scores = scorer(said, np.ones((1, len(said))))
    return {name: float(values[0]) for name, values in scores.items()}


def resampled_scores(
    answers: Sequence[Predictions],
    scorer: Scorer,
    *,
    replicates: int,
    seed: int,
    on_draws: Callable[[int], None] = _nobody_waits,
) -> list[Draws]:
    """Return the scores of each of `answers` under the same R resamples of their groups.

    Args:
        answers: about the same N rows, in the same order.
        scorer: of the target and the task.
        replicates: R.
        seed: of the resampling.
        on_draws: told after each chunk how many draws it was.
    """
    parts: list[list[Draws]] = [[] for _ in answers]
    generator = np.random.default_rng(seed)
    for weights in resampled_weights(answers[0].groups, replicates, generator):
        for said, scores in zip(answers, parts, strict=True):
            scores.append(scorer(said, weights))
        on_draws(len(weights))
    return [_joined(scores) for scores in parts]


def swapped_gaps(
    pairs: Sequence[tuple[Predictions, Predictions]],
    scorer: Scorer,
    *,
    replicates: int,
    seed: int,
    on_draws: Callable[[int], None] = _nobody_waits,
) -> Draws:
    """Return how far the second of a pair is ahead once groups have changed sides at random, (R,).

    If it does not matter which of two networks answers, what both said of a group may be swapped,
    group by group; the scores then differ by chance alone (Fisher's randomization test; Good 2005,
    Permutation, Parametric and Bootstrap Tests, ch. 3). All rows of a group change sides together.
    Of several pairs the mean gap is returned; a group changes sides in all of them at once.

    A ranking cannot mix answers of two networks of which one is surer throughout, so a score that
    only looks at ranks is taken from ranks within each network (Bandos, Rockette and Gur 2005,
    doi:10.1002/sim.2149), see `on_one_scale`. A score that cannot be swapped, such as one at a
    threshold that each run has decided for itself, is left out.

    Args:
        pairs: about the same N rows, in the same order.
        scorer: of the target and the task.
        replicates: R.
        seed: of the swaps.
        on_draws: told after each chunk how many draws it was.
    """
    forms = _forms(pairs, scorer)
    parts: list[Draws] = []
    for stay in _sides(pairs[0][0].groups, replicates, np.random.default_rng(seed)):
        kept = np.concatenate([stay, 1 - stay], axis=1)
        gaps: dict[str, NDArray[np.float64]] = {}
        for names, both in forms:
            each = [_gap(scorer(one, kept), scorer(one, 1 - kept), names) for one in both]
            gaps |= {name: np.mean([gap[name] for gap in each], axis=0) for name in names}
        parts.append(gaps)
        on_draws(len(stay))
    return _joined(parts)


def on_one_scale(said: Predictions) -> Predictions:
    """Return the answers with each column of probabilities replaced by ranks within it.

    Ranks keep to their side of the threshold, 0.5 unless the target has its own: what is said from
    there on is in (0.5, 1), the rest in (0, 0.5).
    """
    limits = [UNFITTED] * len(said.classes)
    if said.thresholds is not None:
        limits = list(said.thresholds.values)
    columns = [_ranks(p, limit) for p, limit in zip(said.probabilities.T, limits, strict=True)]
    probabilities = np.column_stack(columns).astype(np.float32)
    return replace(said, probabilities=probabilities, thresholds=None)


def _ranks(probabilities: NDArray[np.float32], limit: float) -> NDArray[np.float64]:
    ranks = np.empty(len(probabilities))
    said = probabilities >= limit
    for part, start in ((said, 0.5), (~said, 0.0)):
        # Half a rank from both ends, so that nothing lies on the threshold.
        ranks[part] = start + 0.5 * (rankdata(probabilities[part]) - 0.5) / max(1, part.sum())
    return ranks


def _forms(
    pairs: Sequence[tuple[Predictions, Predictions]], scorer: Scorer
) -> list[tuple[list[str], list[Predictions]]]:
    """Return in which form answers can be swapped, and which scores they keep in it.

    A form is one set of 2 N rows for each pair.
    """
    own = [(points(first, scorer), points(second, scorer)) for first, second in pairs]
    left = set(own[0][0])
    forms = []
    for form in (on_one_scale, _as_it_is):
        both = [_joined_rows(form(first), form(second)) for first, second in pairs]
        kept = left.intersection(
            *(_kept(one, scorer, scores) for one, scores in zip(both, own, strict=True))
        )
        if kept:
            forms.append((sorted(kept), both))
        left -= kept
    return forms


def _as_it_is(said: Predictions) -> Predictions:
    return said


def _kept(
    both: Predictions, scorer: Scorer, own: tuple[Mapping[str, float], Mapping[str, float]]
) -> set[str]:
    """Return the scores that both networks still have where their rows stand in one set."""
    first = np.repeat([1.0, 0.0], len(both) // 2)
    found = scorer(both, np.stack([first, 1 - first]))
    return {
        name
        for name, values in found.items()
        if all(_same(float(value), scores[name]) for value, scores in zip(values, own, strict=True))
    }


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_SAME, abs_tol=_SAME)  # nan is like nothing


def _joined_rows(first: Predictions, second: Predictions) -> Predictions:
    """Return the rows of both, 2 N; groups of the second have numbers of their own.

    A domain may take the rows of a group together, and those of two networks never belong together.
    """
    facts = [each.facts for each in (first, second) if each.facts is not None]
    return replace(
        first,
        keys=np.concatenate([first.keys, second.keys]),
        groups=np.concatenate([first.groups, second.groups + first.groups.max() + 1]),
        targets=np.concatenate([first.targets, second.targets]),
        probabilities=np.concatenate([first.probabilities, second.probabilities]),
        facts=pd.concat(facts, ignore_index=True) if len(facts) == 2 else None,  # noqa: PLR2004
    )


def _sides(
    groups: NDArray[np.int64], replicates: int, generator: np.random.Generator
) -> Iterator[NDArray[np.float64]]:
    """Yield in chunks which rows stay on their side, (R, N) of 1 and 0."""
    numbers, group_of_row = np.unique(groups, return_inverse=True)
    chunk = max(1, CHUNK_BYTES // (16 * len(groups)))
    for start in range(0, replicates, chunk):
        times = min(chunk, replicates - start)
        stay = generator.integers(2, size=(times, len(numbers))).astype(np.float64)
        yield stay[:, group_of_row]


def _gap(first: Draws, second: Draws, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    return {name: second[name] - first[name] for name in names}


def _joined(parts: Sequence[Draws]) -> Draws:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
