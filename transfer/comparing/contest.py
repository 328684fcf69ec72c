"""The contenders before their judge: every number of a comparison."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from transfer.comparing.classic import NamedTest, classic_tests
from transfer.comparing.contender import Contender
from transfer.comparing.gaps import Gap, gap_of_models, gap_of_recipes
from transfer.comparing.resampling import Draws, resampled_scores, swapped_gaps
from transfer.comparing.words import Circumstances, Claim
from transfer.overlay import read_layer, settle
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.scoring.judging import Judging
from transfer.scoring.metrics import SCORECARDS, point_scores
from transfer.tracking.runs import fetch
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import HEADLINE_TAG

REPLICATES = 2000
"""Resamples, and swaps: p-values go down to 0.0005."""

_SEED = 0
_SHOWN = 4
_CLOSE = 1e-6
_NO_RESAMPLING = "resampling inflates a calibration error"
_BY_EMBEDDINGS = (
    "an identity is judged by embeddings, which no run keeps: rows cannot be paired, and each "
    "score has only the interval that its run gave it"
)


class Contest:
    """Contenders that answered the same rows, and how they are judged.

    Attributes:
        contenders: two or more.
        split: whose rows they are.
        headline: the score that tells which is better.
        names: of all scores that can be had, the headline first.
        groups: how many groups the rows are in.
    """

    def __init__(
        self,
        contenders: Sequence[Contender],
        split: str,
        judging: Judging,
        progress: Progress,
    ) -> None:
        """Judge `contenders` by `judging`; an identity by what its runs say of themselves."""
        self.contenders, self.split = tuple(contenders), split
        self._judging, self._progress = judging, progress
        self._answers = {
            one.run.run_id: one for contender in contenders for one in contender.answers
        }
        self._said = {run_id: one.said for run_id, one in self._answers.items()}
        self._is_paired = not SCORECARDS[judging.kind].by_embeddings
        first = next(iter(self._said.values()))
        self.groups = len(np.unique(first.groups))
        known = next(iter(self._points.values()))
        of_kind = SCORECARDS[judging.kind].headline
        self._wished = next(iter(self._answers.values())).run.tags.get(HEADLINE_TAG, of_kind)
        self.headline = self._wished if self._wished in known else of_kind
        shown = (name for name in judging.shown if name in known)
        self.names = tuple(dict.fromkeys((self.headline, *shown, *known)))

    def scores(self, contender: Contender) -> dict[str, float]:
        """Return each score of a contender, over several runs the mean."""
        return {name: float(self._values(contender, name).mean()) for name in self.names}

    def gaps(self, first: Contender, second: Contender) -> list[Gap]:
        """Return how far the second is ahead in each score, the headline first."""
        return [
            replace(gap, lower_is_better=self._judging.lower_is_better(gap.score))
            for gap in self._gaps(first, second)
        ]

    def claim(self, first: Contender, second: Contender) -> Claim:
        """Return what a verdict about two contenders is about."""
        return "recipes" if first.is_recipe and second.is_recipe else "models"

    def circumstances(self, first: Contender, second: Contender, family: int) -> Circumstances:
        """Return what a verdict has to know; `family` comparisons are corrected for."""
        one, other = ([self._said[run.run_id] for run in each.runs] for each in (first, second))
        return Circumstances(
            first=first.name,
            second=second.name,
            claim=self.claim(first, second),
            runs=(len(one), len(other)),
            split=self.split,
            rows=len(one[0]),
            family=family,
            same=len(one) == len(other) and all(map(_say_the_same, one, other)),
        )

    def alone(self, first: Contender, second: Contender) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the keys of the rows that only the first says right, and only the second."""
        if not self._is_paired:
            return (), ()
        keys = first.answers[0].said.keys
        only = (first.right & ~second.right, second.right & ~first.right)
        return tuple(keys[only[0]].tolist()), tuple(keys[only[1]].tolist())

    def tests(self, first: Contender, second: Contender) -> tuple[NamedTest, ...]:
        """Return the tests with names: of single runs, where every group is a single row."""
        if not self._is_paired or len(first.answers) + len(second.answers) > 2:  # noqa: PLR2004
            return ()
        return classic_tests(
            first.answers[0].said, second.answers[0].said, first.right, second.right
        )

    @property
    def notes(self) -> list[str]:
        """What a reader has to know about the scores."""
        if not self._is_paired:
            return [_BY_EMBEDDINGS]
        notes = []
        if self.headline != self._wished:
            notes.append(f"{self._wished}, the headline, cannot be had from what is kept")
        for one in self._answers.values():
            own = _scores_of(one.run, self.split)
            found = self._points[one.run.run_id]
            other = [n for n in own if n in found and abs(own[n] - found[n]) > _CLOSE]
            if other:
                notes.append(
                    f"{one.run.name} has other values of {_few(other)}: it was judged by other "
                    "settings or by other code than are in force here"
                )
        kept = {n for one in self._answers.values() for n in _scores_of(one.run, self.split)}
        if lost := sorted(kept - set(self.names)):
            notes.append(f"not compared, for they need more than is kept: {_few(lost)}")
        return notes

    @cached_property
    def _points(self) -> dict[str, dict[str, float]]:
        """Each score of each run."""
        if not self._is_paired:
            own = {i: _scores_of(one.run, self.split) for i, one in self._answers.items()}
            common = set.intersection(*(set(scores) for scores in own.values()))
            return {
                i: {n: s for n, s in scores.items() if n in common} for i, scores in own.items()
            }
        return {i: point_scores(said, self._judging.scorer) for i, said in self._said.items()}

    @cached_property
    def _draws(self) -> dict[str, Draws]:
        """Each score of each run under the same resamples."""
        with self._progress.step("resampling", REPLICATES, "resamples") as step:
            draws = resampled_scores(
                list(self._said.values()),
                self._judging.scorer,
                replicates=REPLICATES,
                seed=_SEED,
                on_draws=step.advance,
            )
        return dict(zip(self._said, draws, strict=True))

    def _gaps(self, first: Contender, second: Contender) -> list[Gap]:
        if not self._is_paired:
            return [self._unpaired(name, first, second) for name in self.names]
        if self.claim(first, second) == "recipes":
            return [self._gap_of_recipes(name, first, second) for name in self.names]
        swapped = self._swapped(first, second)
        return [self._gap_of_models(name, first, second, swapped) for name in self.names]

    def _swapped(self, first: Contender, second: Contender) -> Draws:
        """Return the gaps after swaps; of contenders with unlike numbers of runs there are none."""
        if len(first.answers) != len(second.answers):
            return {}
        pairs = [
            (one.said, other.said) for one, other in zip(first.answers, second.answers, strict=True)
        ]
        with self._progress.step("swapping", REPLICATES, "swaps") as step:
            return swapped_gaps(
                pairs,
                self._judging.scorer,
                replicates=REPLICATES,
                seed=_SEED,
                on_draws=step.advance,
            )

    def _gap_of_models(self, name: str, first: Contender, second: Contender, swapped: Draws) -> Gap:
        values = self._means(name, first, second)
        if name not in next(iter(self._draws.values())):
            return Gap(name, *values, values[1] - values[0], note=_NO_RESAMPLING)
        draws = self._draws_of(second, name).mean(axis=0) - self._draws_of(first, name).mean(axis=0)
        rows = len(first.answers[0].said)
        return gap_of_models(name, values, draws, swapped.get(name), rows=rows, groups=self.groups)

    def _gap_of_recipes(self, name: str, first: Contender, second: Contender) -> Gap:
        if name not in next(iter(self._draws.values())):
            values = self._means(name, first, second)
            return Gap(name, *values, values[1] - values[0], note=_NO_RESAMPLING)
        return gap_of_recipes(
            name,
            (self._values(first, name), self._values(second, name)),
            (self._draws_of(first, name), self._draws_of(second, name)),
            groups=self.groups,
        )

    def _unpaired(self, name: str, first: Contender, second: Contender) -> Gap:
        values = self._means(name, first, second)
        return Gap(name, *values, values[1] - values[0], note="embeddings are not kept")

    def _means(self, name: str, first: Contender, second: Contender) -> tuple[float, float]:
        one, other = (float(self._values(each, name).mean()) for each in (first, second))
        return one, other

    def _values(self, contender: Contender, name: str) -> NDArray[np.float64]:
        """Return a score of each run, (k,)."""
        return np.array([self._points[run.run_id][name] for run in contender.runs])

    def _draws_of(self, contender: Contender, name: str) -> NDArray[np.float64]:
        """Return a score of each run under each resample, (k, R)."""
        return np.stack([self._draws[run.run_id][name] for run in contender.runs])


def judging_of_run(store: Store, run: StoredRun, task: Task, kind: TargetKind) -> Judging:
    """Return how the rows of `run` are judged: by its target, and by its task as it was set.

    Raises:
        RecipeError: the task no longer knows a setting of the run.
        StoreError: the store does not answer.
    """
    if task.judge is None:
        return Judging(kind)
    with TemporaryDirectory() as folder:
        layer = read_layer(fetch(store, run, "recipe.json", Path(folder)))
    return Judging(kind, task.judge(settle(task.defaults(), [layer]).recipe.task))


def _say_the_same(one: Predictions, other: Predictions) -> bool:
    alike = (one.thresholds, one.decisions) == (other.thresholds, other.decisions)
    return alike and np.array_equal(one.probabilities, other.probabilities)


def _scores_of(run: StoredRun, split: str) -> dict[str, float]:
    """Return the scores that a run has kept of a split, without the ends of their intervals."""
    of_split = {
        name.removeprefix(f"{split}/"): value
        for name, value in run.metrics.items()
        if name.startswith(f"{split}/")
    }
    ends = {name + end for name in of_split for end in ("_low", "_high")}
    return {name: value for name, value in of_split.items() if name not in ends}


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
