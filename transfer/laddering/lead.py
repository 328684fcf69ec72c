"""Does something faster do as well? The chosen rung against those below it, in words."""

from collections.abc import Mapping, Sequence

from transfer.comparing.head_to_head import Answered, head_to_head
from transfer.experiment import RunResult
from transfer.laddering.choosing import Limits, costs_of, faster
from transfer.laddering.result import Climbed
from transfer.plan import Plan
from transfer.progress import Progress


def lead(
    chosen: Climbed | None,
    climbed: Sequence[Climbed],
    limits: Limits,
    plan: Plan,
    results: Mapping[str, RunResult],
    progress: Progress,
) -> str:
    """Return the fastest rung that does as well as the val rows can tell, or that there is none.

    Args:
        chosen: the best on val within `limits`.
        climbed: all rungs.
        limits: what may be recommended.
        plan: how rows are judged.
        results: of every run, by its id.
        progress: told of the resampling.
    """
    if chosen is None or not (rivals := faster(climbed, chosen, limits)):
        return ""
    said = head_to_head(
        [_answered(one, results) for one in rivals],
        _answered(chosen, results),
        plan.headline,
        plan.judging,
        progress,
    )
    for one, (gap, verdict) in zip(rivals, said, strict=True):
        if gap.p is None:  # nothing tells
            return f"against {one.rung.name}, {costs_of(one)}: {verdict}"
        if not gap.is_reliable:
            return f"{one.rung.name} may do as well, {costs_of(one)}. {verdict}"
    worse = f"the {len(rivals)} that are faster and that nobody beats are worse; the nearest: "
    return (worse if len(rivals) > 1 else "what is faster is worse: ") + said[-1][1]


def _answered(one: Climbed, results: Mapping[str, RunResult]) -> Answered:
    """Return what the best network of a rung said of the val rows."""
    best = one.best
    if best is None:
        raise ValueError(f"{one.rung.name} has no score")
    return Answered(f"{one.rung.name} by {best.strategy}", results[best.run_id].said["val"])
