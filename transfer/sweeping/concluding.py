"""The end of a sweep: the best trials repeated, one chosen, fitted again, and seen on test once."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

import optuna

from transfer.assembly import nobody
from transfer.errors import TrainingError
from transfer.experiment import RunResult
from transfer.sweeping.reading import CHOICE, CONCLUSION, ranked, read_repeats, read_trials
from transfer.sweeping.result import Conclusion, Repeat, Trial
from transfer.sweeping.study import ERROR, wait_for_others
from transfer.sweeping.trials import Bench, values_of

FEW = 3
"""So many of the best trials are repeated on other seeds."""


@dataclass(frozen=True)
class Concluding:
    """Concludes a study, as the only trial of a study of its own: once, whoever carries it out.

    While it is under way no trial of the study is begun. What is found on the way is kept in the
    study, so that whoever takes it over repeats nothing and makes no other choice.

    Attributes:
        bench: what with.
        study: whose trials are over.
        seeds: on so many the best few are fitted before one is believed.
    """

    bench: Bench
    study: optuna.Study
    seeds: int

    def __call__(self, trial: optuna.Trial) -> Sequence[float]:
        """Keep the conclusion with `trial`, and return the first objective of the chosen run.

        Raises:
            Interrupted: see `Bench`.
        """
        bench = self.bench
        wait_for_others(self.study)  # one may have been begun at the same moment
        number, repeats = self._choice()
        (chosen,) = (one for one in read_trials(self.study, bench.space) if one.number == number)
        bench.progress.say(
            f"chosen     trial {number}: {chosen.words()}; fitted again, then tested"
        )
        name = f"{self.study.study_name}-chosen"
        plan = bench.plan_of(chosen.settings, name, with_test=True)
        try:
            result = self._finished(bench.carry_out(plan, nobody))
        except TrainingError as error:
            trial.set_user_attr(ERROR, str(error))
            return [math.nan]
        said = Conclusion(
            number, repeats, result.name, result.run_id, dict(result.val), dict(result.test)
        )
        trial.set_user_attr(CONCLUSION, json.dumps(asdict(said)))
        return values_of(result, plan, bench.objectives[:1])

    def _choice(self) -> tuple[int, tuple[Repeat, ...]]:
        """Return which trial is chosen, and the repeats that chose it; the first choice stands."""
        if (kept := self.study.user_attrs.get(CHOICE)) is not None:
            made = json.loads(kept)
            return made["number"], read_repeats(made["repeats"])
        bench, objective = self.bench, self.bench.objectives[0]
        trials = ranked(read_trials(self.study, bench.space), bench.objectives)
        repeats = [self._repeated(one) for one in trials[:FEW]] if self.seeds > 1 else []
        sign = 1 if objective.lower_is_better else -1
        repeats.sort(key=lambda one: (math.isnan(one.mean), sign * one.mean))
        number = repeats[0].number if repeats else trials[0].number
        made = {"number": number, "repeats": [asdict(one) for one in repeats]}
        self.study.set_user_attr(CHOICE, json.dumps(made))
        return number, tuple(repeats)

    def _repeated(self, trial: Trial) -> Repeat:
        """Return a trial on as many seeds as were asked for, its own the first."""
        own = self.bench.base.settled.recipe.seed
        seeds = range(own + 1, own + self.seeds)
        values = [trial.values[0], *(self._on_seed(trial, seed) for seed in seeds)]
        return Repeat(trial.number, tuple(values), fmean(values))

    def _on_seed(self, trial: Trial, seed: int) -> float:
        """Return the first objective of a trial on another seed; NaN where it came to nothing."""
        bench, kept = self.bench, f"trial {trial.number}, seed {seed}"
        if kept in self.study.user_attrs:
            return float(self.study.user_attrs[kept])
        bench.progress.say(f"repeat     {kept}: {trial.words()}")
        name = f"{self.study.study_name}-trial{trial.number}-seed{seed}"
        plan = bench.plan_of({**trial.settings, "seed": seed}, name)
        try:
            result = self._finished(bench.carry_out(plan, nobody))
            (value,) = values_of(result, plan, bench.objectives[:1])
        except TrainingError as error:
            bench.progress.warn(f"seed {seed} came to nothing: {error}")
            value = math.nan  # so that its mean is none: it cannot be relied on
        self.study.set_user_attr(kept, repr(value))
        return value

    @staticmethod
    def _finished(result: RunResult) -> RunResult:
        if result.status == "FAILED":
            raise TrainingError(result.ended)
        return result
