"""Rows that only one of two contenders says right, and what each of them said."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.comparing.contender import Contender
from transfer.samples.predictions import Predictions
from transfer.samples.target import decode_targets
from transfer.scoring.metrics import guesses, mistakes

MOST = 24
"""Rows that are shown of each kind; all of their keys are in the JSON file."""


@dataclass(frozen=True)
class Disagreement:
    """One row that only one of two contenders says right.

    Attributes:
        key: of the row.
        label: what is true of it.
        first_says, second_says: what each said, and how sure it was; of several runs what most
            of them said.
        only_first: the first is the one that is right.
    """

    key: str
    label: str
    first_says: str
    second_says: str
    only_first: bool


def disagreements(first: Contender, second: Contender) -> list[Disagreement]:
    """Return rows that only one of them says right, those that the other is surest about first.

    At most `MOST` that only the first has right, and as many of the second.
    """
    found = []
    for right, wrong, only_first in ((first, second, True), (second, first, False)):
        alone = right.right & ~wrong.right
        for row in _surest(wrong.answers[0].said, alone)[:MOST].tolist():
            said = first.answers[0].said
            label = decode_targets(said.kind, said.targets[row : row + 1], said.classes)[0]
            found.append(
                Disagreement(
                    key=str(said.keys[row]),
                    label=label or "none",
                    first_says=_says(first, row),
                    second_says=_says(second, row),
                    only_first=only_first,
                )
            )
    return found


def _surest(wrong: Predictions, alone: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the numbers of the rows in `alone`, (M,), the surest mistakes of `wrong` first."""
    ranked = mistakes(wrong)[0]
    rest = np.setdiff1d(np.flatnonzero(alone), ranked)  # right in this run, of several
    return np.concatenate([ranked[alone[ranked]], rest])


def _says(contender: Contender, row: int) -> str:
    """Return what is said of a row, and how sure; of several runs what most say, and how many."""
    each = [_guess(one.said, row) for one in contender.answers]
    words, most = Counter(each).most_common(1)[0]
    if len(each) > 1:
        return f"{words} in {most} of {len(each)}"
    said = contender.answers[0].said
    guess = guesses(said)[row]
    return f"{words} {said.probabilities[row, int(guess)]:.2f}" if guess.ndim == 0 else words


def _guess(said: Predictions, row: int) -> str:
    return decode_targets(said.kind, guesses(said)[row : row + 1], said.classes)[0] or "none"
