"""What an audit found: values, for the terminal, the page and JSON alike."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transfer.samples.leaks import Contradiction, Leak

_SURE = 0.9  # children on one bench reach 0.84


@dataclass(frozen=True)
class Understood:
    """What was read, before anything is judged.

    Attributes:
        task, data: whose, and where.
        target: kind of label.
        rows, groups: how many.
        alone: rows that are in no group with others.
        classes: rows of each, the most frequent first.
        splits: rows of each split that is given; "" counts those without.
        formats: rows of each format and mode, as in "JPEG RGB".
        smallest, median, largest: width and height in px, by area.
        left_out: files that cannot be read, and why.
        notes: what the reader of the layout left aside.
    """

    task: str
    data: str
    target: str
    rows: int
    groups: int
    alone: int
    classes: Mapping[str, int]
    splits: Mapping[str, int]
    formats: Mapping[str, int]
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]

    @property
    def imbalance(self) -> float:
        """How many times as many rows the most frequent class has as the rarest."""
        counts = [count for count in self.classes.values() if count]
        return max(counts) / min(counts) if counts else 1.0


@dataclass(frozen=True)
class Member:
    """A row in a finding: its number among the rows, path, label and given split."""

    number: int
    image: str
    label: str
    split: str


@dataclass(frozen=True)
class Copies:
    """Two rows that are one picture.

    Attributes:
        first, second: the rows.
        agreement: of their details, 1 for the same.
        mirrored: one is the other in a mirror.
    """

    first: Member
    second: Member
    agreement: float
    mirrored: bool

    @property
    def is_sure(self) -> bool:
        """Whether they agree as copies of pictures with details do; of flat ones nobody is sure."""
        return self.agreement >= _SURE

    @property
    def leaks(self) -> bool:
        """Whether they lie in different given splits."""
        both = {self.first.split, self.second.split}
        return len(both) > 1 and "" not in both

    @property
    def contradict(self) -> bool:
        """Whether they have different labels."""
        return self.first.label != self.second.label


@dataclass(frozen=True)
class Shortcut:
    """How far the facts of a file alone give its label away.

    Attributes:
        score: balanced accuracy of shallow trees on rows of other groups.
        chance: what labels drawn by lot reach.
        of_facts: the same of each fact alone, the strongest first.
    """

    score: float
    chance: float
    of_facts: Mapping[str, float]

    @property
    def risk(self) -> str:
        """Say in a word how much of the way from chance to certainty the facts go."""
        lift = (self.score - self.chance) / max(1e-9, 1 - self.chance)
        return "high" if lift >= 0.3 else "some" if lift >= 0.1 else "low"  # noqa: PLR2004  # shares of the way


@dataclass(frozen=True)
class Doubt:
    """A row that a probe which never saw it takes for another class, and is sure of it."""

    row: Member
    says: str
    confidence: float


@dataclass(frozen=True)
class Audit:
    """What an audit found; `None` where something was not looked for, and `notes` say why.

    Attributes:
        understood: what was read.
        leaks: what given splits divide although it belongs together.
        equals: rows of equal bytes or pixels, each list one picture.
        contradictions: one picture with several labels.
        copies: near-duplicates, the closest first.
        threshold, unrelated: the agreement from which on pictures of this set may be one, and the
            median of pictures that look alike.
        groups: row numbers that copies connect.
        shortcut: whether facts of files give labels away.
        doubts: likely label errors, the surest first.
        probe_score: balanced accuracy of the probes that doubt; those of weak ones mean little.
        notes: what was not looked for, and why.
    """

    understood: Understood
    leaks: tuple[Leak, ...]
    equals: tuple[tuple[Member, ...], ...]
    contradictions: tuple[Contradiction, ...]
    copies: tuple[Copies, ...]
    threshold: float
    unrelated: float
    groups: tuple[tuple[int, ...], ...]
    shortcut: Shortcut | None
    doubts: tuple[Doubt, ...] | None
    probe_score: float | None
    notes: tuple[str, ...] = ()

    @property
    def divided(self) -> tuple[Copies, ...]:
        """The near-duplicates that lie in different given splits."""
        return tuple(pair for pair in self.copies if pair.leaks)

    @property
    def is_clean(self) -> bool:
        """Whether no leak was found between the given splits, near-duplicates that are sure too."""
        return not (self.leaks or any(pair.is_sure for pair in self.divided))

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        leaks = [{"tie": leak.tie, "name": leak.name, "rows": leak.rows} for leak in self.leaks]
        more = {"clean": self.is_clean, "imbalance": self.understood.imbalance}
        risk = {"risk": None if self.shortcut is None else self.shortcut.risk}
        return {**asdict(self), **more, **risk, "leaks": leaks}
