"""What a comparison found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from transfer.comparing.classic import NamedTest
from transfer.comparing.gaps import Gap
from transfer.comparing.words import Claim


@dataclass(frozen=True)
class Side:
    """One contender and how it did.

    Attributes:
        name: of the run; of several, those of the first and the last.
        runs: names of its runs.
        run_ids: their ids.
        scores: of the rows that were compared; over several runs the mean.
        low, high: interval of the headline as the run has it; None of several runs.
    """

    name: str
    runs: tuple[str, ...]
    run_ids: tuple[str, ...]
    scores: Mapping[str, float]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Pair:
    """Two contenders.

    Attributes:
        first, second: names.
        claim: what the verdict is about.
        gaps: each score, the headline first.
        verdict: what the headline says, in words.
        tests: those with names; none unless every group is a single row.
        only_first, only_second: keys of the rows that only one of them says right.
    """

    first: str
    second: str
    claim: Claim
    gaps: tuple[Gap, ...]
    verdict: str
    tests: tuple[NamedTest, ...] = ()
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()

    @property
    def headline(self) -> Gap:
        """The gap that the verdict is about."""
        return self.gaps[0]


@dataclass(frozen=True)
class Comparison:
    """What the answers of runs to the same rows tell about which is better.

    Attributes:
        task: name of the task.
        split: whose rows they are: val, which also selected, or test.
        headline: the score that verdicts are about.
        rows: how many.
        groups: in so many groups.
        sides: who was compared.
        pairs: each with each.
        family: comparisons that the p-values are corrected for.
        looked: runs of the store whose scores on these test rows can be seen; None on val.
        notes: what a reader has to know beside the numbers.
        notice: what the task wants everyone to know who reads its scores.
        run_id: of the comparison in the store; "" where it is not kept.
    """

    task: str
    split: str
    headline: str
    rows: int
    groups: int
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]
    family: int
    looked: int | None = None
    notes: tuple[str, ...] = field(default=())
    notice: str = ""
    run_id: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it; numbers that are none become null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124  # nan
