"""Two networks that have just answered the same rows, by one score; nothing is read back."""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from transfer.comparing.contest import REPLICATES
from transfer.comparing.gaps import Gap, gap_of_models
from transfer.comparing.resampling import points, resampled_scores, swapped_gaps
from transfer.comparing.words import Circumstances, verdict
from transfer.progress import Progress
from transfer.samples.predictions import Predictions
from transfer.scoring.judging import Judging
from transfer.scoring.metrics import SCORECARDS

_SEED = 0
_BY_EMBEDDINGS = "an identity is judged by embeddings, whose rows cannot be paired"


class Answered(NamedTuple):
    """A network by its name, and what it said of the rows."""

    name: str
    said: Predictions


def head_to_head(
    first: Answered, second: Answered, score: str, judging: Judging, progress: Progress
) -> tuple[Gap, str]:
    """Return how far the second is ahead on val, and the verdict in words, as `compare` gives them.

    Both said it of the same rows, in the same order; `score` tells which is better.
    """
    one, other = first.said, second.said
    gap = replace(
        _gap(score, one, other, judging, progress), lower_is_better=judging.lower_is_better(score)
    )
    about = Circumstances(
        first=first.name,
        second=second.name,
        claim="models",
        runs=(1, 1),
        split="val",
        rows=len(one),
        family=1,
        same=np.array_equal(one.probabilities, other.probabilities),
    )
    return gap, verdict(gap, about)


def _gap(
    score: str, one: Predictions, other: Predictions, judging: Judging, progress: Progress
) -> Gap:
    first, second = (points(said, judging.scorer).get(score, math.nan) for said in (one, other))
    if SCORECARDS[judging.kind].by_embeddings:
        return Gap(score, first, second, second - first, note=_BY_EMBEDDINGS)
    with progress.step("comparing", 2 * REPLICATES, "resamples") as step:
        draws = resampled_scores(
            [one, other], judging.scorer, replicates=REPLICATES, seed=_SEED, on_draws=step.advance
        )
        swapped = swapped_gaps(
            [(one, other)], judging.scorer, replicates=REPLICATES, seed=_SEED, on_draws=step.advance
        )
    return gap_of_models(
        score,
        (first, second),
        draws[1][score] - draws[0][score],
        swapped.get(score),
        rows=len(one),
        groups=len(np.unique(one.groups)),
    )
