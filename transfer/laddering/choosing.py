"""Which rung val chooses, within what may be spent, and how that is said."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transfer.laddering.footprint import Footprint
from transfer.laddering.result import Climbed


@dataclass(frozen=True)
class Limits:
    """What a network may cost; None does not matter.

    Attributes:
        latency_ms: most for one picture.
        parameters: most numbers that are learned.
    """

    latency_ms: float | None = None
    parameters: int | None = None

    def hold(self, footprint: Footprint | None) -> bool:
        """Say whether something of this cost is within them; what is not known is not."""
        if footprint is None:
            return self.latency_ms is None and self.parameters is None
        return _within(footprint.latency_ms, self.latency_ms) and _within(
            footprint.parameters, self.parameters
        )

    def words(self) -> str:
        """Return them in words, or ""."""
        said = [f"{self.latency_ms:g} ms a picture"] if self.latency_ms is not None else []
        if self.parameters is not None:
            said.append(f"{self.parameters / 1e6:g} M parameters")
        return " and ".join(said)


def choose(climbed: Sequence[Climbed], limits: Limits) -> Climbed | None:
    """Return the rung with the best score on val within `limits`, of equals the smaller one."""
    return max(
        (one for one in climbed if one.best is not None and limits.hold(one.footprint)),
        key=lambda one: (_score(one), -_size(one)),
        default=None,
    )


def faster(climbed: Sequence[Climbed], chosen: Climbed, limits: Limits) -> list[Climbed]:
    """Return the rungs that are faster than the chosen, and that nobody beats who is as fast.

    They are within `limits`, from fast to slow; of a rung that was not measured there is none.
    """
    if chosen.footprint is None:
        return []
    within = [one for one in climbed if limits.hold(one.footprint)]
    most = chosen.footprint.latency_ms
    front = undominated(within, lambda cost: cost.latency_ms)
    return [one for one in front if _known(one).latency_ms < most]


def undominated(climbed: Sequence[Climbed], cost: Callable[[Footprint], float]) -> list[Climbed]:
    """Return the rungs that nobody beats at no more cost, from cheap to dear (the Pareto front)."""
    known = [one for one in climbed if one.best is not None and one.footprint is not None]
    front: list[Climbed] = []
    for one in sorted(known, key=lambda one: (cost(_known(one)), -_score(one))):
        if not front or _score(one) > _score(front[-1]):
            front.append(one)
    return front


def recommend(chosen: Climbed | None, climbed: Sequence[Climbed], limits: Limits) -> str:
    """Return in words which rung to take, and what it costs."""
    tried = [one for one in climbed if one.best is not None]
    within = f" within {limits.words()}" if limits.words() else ""
    if not tried:
        undefined = any(one.tried for one in climbed)
        why = "has a score on these val rows" if undefined else "could be tried"
        return f"no backbone {why}, so that there is nothing to recommend"
    if chosen is None or chosen.best is None:
        return _nothing_within(tried, limits)
    of = [one for one in tried if limits.hold(one.footprint)]
    costs = f"; {costs_of(chosen)}" if chosen.footprint else ""
    return (
        f"take {chosen.rung.name} by {chosen.best.strategy}: {chosen.best.words()}, "
        f"{_standing(chosen, of, within)}{costs}"
    )


def _standing(chosen: Climbed, of: Sequence[Climbed], within: str) -> str:
    """Return in words how the chosen stands among those it was chosen from."""
    if len(of) == 1:
        return f"the only one{within}"
    as_good = sum(_score(one) == _score(chosen) for one in of)
    if as_good > 1:
        return f"the smallest of {as_good} that are as good on val, of {len(of)}{within}"
    slower = sum(_latency(one) > _latency(chosen) for one in of)
    behind = f", {slower} of them slower" if slower else ""
    return f"the best on val of {len(of)}{within}{behind}"


def _nothing_within(tried: Sequence[Climbed], limits: Limits) -> str:
    """Return in words how far what was tried is from the limits."""
    measured = [one for one in tried if one.footprint is not None]
    if not measured:
        return (
            "nothing that could be tried was measured, so that nobody knows what is within "
            f"{limits.words()}"
        )
    fastest, least = min(measured, key=_latency), min(measured, key=_size)
    said = f"no backbone is within {limits.words()}: "
    if fastest is least:
        return f"{said}the fastest and smallest tried is {fastest.rung.name}, {costs_of(fastest)}"
    return (
        f"{said}the fastest tried is {fastest.rung.name}, {costs_of(fastest)}, and the smallest "
        f"{least.rung.name}, {costs_of(least)}"
    )


def costs_of(one: Climbed) -> str:
    """Return in words what a rung costs that was measured."""
    cost = _known(one)
    return f"{in_ms(cost.latency_ms)} ms a picture, {cost.parameters / 1e6:.1f} M parameters"


def in_ms(value: float) -> str:
    """Return milliseconds as people write them, three digits of them at least."""
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"  # noqa: PLR2004  # not 1e+03


def _known(one: Climbed) -> Footprint:
    if one.footprint is None:
        raise ValueError(f"{one.rung.name} was not measured")
    return one.footprint


def _score(one: Climbed) -> float:
    return one.best.value if one.best is not None else float("-inf")


def _latency(one: Climbed) -> float:
    return one.footprint.latency_ms if one.footprint is not None else float("nan")


def _size(one: Climbed) -> float:
    return one.footprint.parameters if one.footprint is not None else float("inf")


def _within(value: float, most: float | None) -> bool:
    return most is None or value <= most
