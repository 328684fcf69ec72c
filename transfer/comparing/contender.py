"""Who is compared: one run, or the runs of one recipe on several seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from transfer.comparing.answers import Answers
from transfer.comparing.words import FEWEST_SEEDS
from transfer.errors import ComparisonError
from transfer.scoring.metrics import guesses
from transfer.tracking.stored_runs import StoredRun

_SEED = "seed"
_FREE = ("machine.",)  # settings that change nothing of what is learned
_DATA = "transfer.data_digest"


@dataclass(frozen=True, eq=False)
class Contender:
    """Runs that stand for one thing.

    Attributes:
        name: the run's own; of several, that of the first and what the last is called instead.
        answers: of each run.
    """

    name: str
    answers: tuple[Answers, ...]

    @property
    def runs(self) -> list[StoredRun]:
        """The runs, in the order given."""
        return [each.run for each in self.answers]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which rows are said right, (N,): by more than half of the runs; all labels of a row."""
        each = [
            (guesses(one.said) == one.said.targets).reshape(len(one.said), -1).all(axis=1)
            for one in self.answers
        ]
        most: NDArray[np.bool_] = 2 * np.sum(each, axis=0) > len(each)
        return most

    @property
    def is_recipe(self) -> bool:
        """Say whether it can stand for its recipe: enough runs, of different seeds alone."""
        return len(self.answers) >= FEWEST_SEEDS and not self.doubts()

    def doubts(self) -> list[str]:
        """Return in words why several runs are not one recipe on several seeds."""
        settings = [_settings(run) for run in self.runs]
        names = sorted({name for one in settings for name in one})
        differ = [name for name in names if len({one.get(name) for one in settings}) > 1]
        doubts = [f"the runs of {self.name} differ in {', '.join(differ)}"] if differ else []
        seeds = [run.params.get(_SEED) for run in self.runs]
        if len(set(seeds)) < len(seeds):
            doubts.append(f"runs of {self.name} share a seed")
        return doubts


def make_contender(answers: Sequence[Answers]) -> Contender:
    """Return the contender with these answers.

    Raises:
        ComparisonError: a run stands twice in it.
    """
    names = [one.run.name for one in answers]
    ids = [one.run.run_id for one in answers]
    if len(set(ids)) < len(ids):
        raise ComparisonError(f"{','.join(names)!r} names a run twice; give each seed once")
    return Contender(_name_of(names), tuple(answers))


def _name_of(names: Sequence[str]) -> str:
    """Return "a-0..4" of a-0 to a-4: what the last has in common with the first is said once."""
    if len(names) == 1:
        return names[0]
    pairs = zip(names[0], names[-1], strict=False)
    common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    start = max(common.rfind(mark) for mark in "-_. ") + 1  # whole words, so not "run-1..0"
    return f"{names[0]}..{names[-1][start:]}"


def _settings(run: StoredRun) -> dict[str, str]:
    """Return all that the runs of one recipe share: settings and data."""
    settings = {
        name: value
        for name, value in run.params.items()
        if name != _SEED and not name.startswith(_FREE)
    }
    return {**settings, "data": run.tags.get(_DATA, "")}
