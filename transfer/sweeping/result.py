"""What a sweep found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["complete", "stopped", "failed", "lost", "queued", "under way"]


@dataclass(frozen=True)
class Objective:
    """What trials are judged by.

    Attributes:
        name: a score of the task on val, or parameters, or macs.
        lower_is_better: less of it is better.
    """

    name: str
    lower_is_better: bool = False

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """What Optuna calls it."""
        return "minimize" if self.lower_is_better else "maximize"


@dataclass(frozen=True)
class Trial:
    """One trial of a study.

    Attributes:
        number: in the study.
        state: stopped for what its epochs showed, failed of itself, lost with its process; queued
            are the settings of a lost one that nobody has tried again.
        settings: what it tried, by dotted name.
        values: of the objectives; those of its last epoch where it was stopped; empty of others.
        run, run_id: of its run; "" where there is none.
        about: why it was stopped, failed or is lost.
    """

    number: int
    state: State
    settings: Mapping[str, Any]
    values: tuple[float, ...] = ()
    run: str = ""
    run_id: str = ""
    about: str = ""

    @property
    def first(self) -> float:
        """What it reached of the first objective; of one without values there is none."""
        return self.values[0]

    def words(self) -> str:
        """Return its settings in words."""
        return ", ".join(f"{name} {in_words(value)}" for name, value in self.settings.items())


@dataclass(frozen=True)
class Repeat:
    """A trial repeated on other seeds.

    Attributes:
        number: of the trial.
        values: of the first objective, on each seed; the first is the trial's own.
        mean: of them.
    """

    number: int
    values: tuple[float, ...]
    mean: float


@dataclass(frozen=True)
class Conclusion:
    """What was made of the trials: once for a study, whoever worked on it.

    Attributes:
        number: of the trial that was chosen.
        repeats: of the best few, the chosen first; empty where nothing was repeated.
        run, run_id: of the run that the chosen settings were fitted in again.
        val: its scores on val, with `_low` and `_high`.
        test: its scores on test, seen once; empty where there are no test rows.
    """

    number: int
    repeats: tuple[Repeat, ...]
    run: str
    run_id: str
    val: Mapping[str, float]
    test: Mapping[str, float]


@dataclass(frozen=True)
class Sweep:
    """What the trials of a study found.

    Attributes:
        study: its name.
        storage: where it is, without a password.
        task: name of the task.
        objectives: the first one chooses.
        space: each setting that was varied, in words.
        trials: all of them, by number.
        front: numbers of the trials that none beats in every objective.
        importance: share of the variation of the first objective that a setting explains.
        conclusion: None where nothing could be chosen.
        notes: what a reader has to know beside the numbers.
        notice: what the task wants everyone to know who reads its scores.
        shown: the scores that tell most.
        seconds: that this process worked.
        ended: "" or why it ended before its time.
        others: how many still work on it; the last of them concludes it.
        again: what to type for the same study; chosen_again, for the chosen run.
        space_file: the space, as the file that both are varied by.
        name, run_id: of the run under which the trials stand.
    """

    study: str
    storage: str
    task: str
    objectives: tuple[Objective, ...]
    space: Mapping[str, str]
    trials: Sequence[Trial]
    front: tuple[int, ...] = ()
    importance: Mapping[str, float] | None = None
    conclusion: Conclusion | None = None
    notes: tuple[str, ...] = ()
    notice: str = ""
    shown: tuple[str, ...] = ()
    seconds: float = 0.0
    ended: str = ""
    others: int = 0
    again: str = ""
    chosen_again: str = ""
    space_file: str = ""
    name: str = ""
    run_id: str = ""

    def trial(self, number: int) -> Trial:
        """Return the trial of that number."""
        return next(one for one in self.trials if one.number == number)

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it; numbers that are none become null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def in_words(value: object) -> str:
    """Return a setting as people write it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
