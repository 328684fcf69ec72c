"""What a ladder found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from transfer.experiment import RunResult
from transfer.laddering.footprint import Footprint
from transfer.laddering.rungs import Rung


@dataclass(frozen=True)
class Tried:
    """A network that a rung came to, and its headline score on val.

    Attributes:
        strategy: that made it.
        run_id, run: of its run.
        value: NaN where the score is undefined.
        low, high: 95 % interval; None where there is none.
        seconds: that the run took.
    """

    strategy: str
    run_id: str
    run: str
    value: float
    low: float | None = None
    high: float | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, result: RunResult, strategy: str, headline: str, seconds: float) -> "Tried":
        """Return what `result` came to."""
        ends = (result.val.get(f"{headline}_low"), result.val.get(f"{headline}_high"))
        value = result.val.get(headline, math.nan)
        return cls(strategy, result.run_id, result.name, value, *ends, seconds)

    def words(self) -> str:
        """Return the score with its interval."""
        ends = (
            "" if self.low is None or self.high is None else f" [{self.low:.3f}, {self.high:.3f}]"
        )
        return f"{self.value:.3f}{ends}"


@dataclass(frozen=True)
class Climbed:
    """One rung and all that is known about it.

    Attributes:
        rung: which.
        footprint: what it costs; None where it was not measured.
        tried: its networks: a probe, then what was fine-tuned or trained from nothing.
        notes: what was not done, and why.
    """

    rung: Rung
    footprint: Footprint | None = None
    tried: tuple[Tried, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Tried | None:
        """The network with the best score, the first of equals; None where no score is defined."""
        known = [one for one in self.tried if not math.isnan(one.value)]
        return max(known, key=lambda one: one.value, default=None)

    def having(self, tried: Tried | None = None, note: str = "") -> "Climbed":
        """Return a copy with one more network, or one more note."""
        more = (tried,) if tried is not None else ()
        return replace(
            self,
            tried=(*self.tried, *more),
            notes=(*self.notes, *filter(None, [note])),
        )


@dataclass(frozen=True)
class Ladder:
    """Which backbone is worth its cost on these rows and this machine.

    Attributes:
        task: name of the task.
        headline: the score that chooses, on val.
        size: side of the pictures, px.
        rows: how many rows of each split.
        machine: what the costs were measured on.
        climbed: every rung, in the order asked for.
        recommendation: in words.
        chosen: the rung that was chosen; None where none could be.
        lead: whether something faster does as well, in words; "" where nothing is faster.
        test: scores of the chosen on test, seen once, with `_low` and `_high`; empty where none
            was chosen or there are no test rows.
        notes: what a reader has to know beside the numbers.
        notice: what the task wants everyone to know who reads its scores.
        shown: the scores that tell most, the one that selected first.
        seconds: that all of it took.
        most_ms: latency that was asked for at most; None where it was not.
        ended: "" or why it ended before its time.
        name, run_id: of the run under which the others stand.
    """

    task: str
    headline: str
    size: int
    rows: Mapping[str, int]
    machine: str
    climbed: Sequence[Climbed]
    recommendation: str
    chosen: str | None = None
    lead: str = ""
    test: Mapping[str, float] | None = None
    notes: tuple[str, ...] = ()
    notice: str = ""
    shown: tuple[str, ...] = ()
    seconds: float = 0.0
    most_ms: float | None = None
    ended: str = ""
    name: str = ""
    run_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it; numbers that are none become null."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
