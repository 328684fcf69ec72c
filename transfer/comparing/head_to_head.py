"""Networks that have just answered the same rows, by one score; nothing is read back."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from transfer.comparing.contest import REPLICATES
from transfer.comparing.gaps import Gap, gap_of_models, holm
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
    rivals: Sequence[Answered], one: Answered, score: str, judging: Judging, progress: Progress
) -> list[tuple[Gap, str]]:
    """Return how far `one` is ahead of each rival on val, and the verdict in words.

    All is as `compare` gives it, p-values corrected over all rivals. All said it of the same rows,
    in the same order; `score` tells which is better.
    """
    lower = judging.lower_is_better(score)
    gaps = [
        replace(_gap(score, rival.said, one.said, judging, progress), lower_is_better=lower)
        for rival in rivals
    ]
    known = [number for number, gap in enumerate(gaps) if gap.p is not None]
    p_values = holm([p for gap in gaps if (p := gap.p) is not None], len(known))
    for number, p in zip(known, p_values, strict=True):
        gaps[number] = replace(gaps[number], corrected=p)
    return [
        (gap, _verdict(gap, rival, one, len(known)))
        for gap, rival in zip(gaps, rivals, strict=True)
    ]


def _verdict(gap: Gap, first: Answered, second: Answered, family: int) -> str:
    about = Circumstances(
        first=first.name,
        second=second.name,
        claim="models",
        runs=(1, 1),
        split="val",
        rows=len(first.said),
        family=family,
        same=np.array_equal(first.said.probabilities, second.said.probabilities),
    )
    return verdict(gap, about)


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
