"""What a split that ignores groups is worth: the same rows, probed honestly and with a leak."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from transfer.errors import ManifestError
from transfer.experiment import closing
from transfer.logbook import Logbook
from transfer.plan import Plan
from transfer.progress import Progress
from transfer.repeats import Repeated, RunOne, finished, run_all, table_of
from transfer.samples.split import assign_splits
from transfer.tracking.tracker import Tracker

_SPLITS = ("whole", "ignored")  # what becomes of the groups


@dataclass(frozen=True)
class Gap:
    """How much better a score looks where groups are divided between splits.

    Attributes:
        headline: the score.
        rows, groups: how many there are.
        repeated: both runs, the honest one first.
        difference: of the score on val; None where a run did not finish, as are the others.
        low, high: its 95 % interval, from those of both scores (Zou and Donner 2008,
            doi:10.1002/sim.3095), as if they were independent; None where one has none.
    """

    headline: str
    rows: int
    groups: int
    repeated: Repeated | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    def words(self) -> str:
        """Return what was found, in one sentence."""
        if self.difference is None:
            return "a run did not finish, so that there is nothing to compare"
        points = f"{abs(self.difference) * 100:.1f}"
        how = "better" if self.difference > 0 else "worse"
        look = "no better" if points == "0.0" else f"{points} points {how}"
        said = f"a split that ignores groups makes {self.headline} look {look}"
        if self.low is None or self.high is None:
            return said
        said += f" [{self.low * 100:+.1f}, {self.high * 100:+.1f}]"
        if self.low > 0:
            return f"{said}: a leak; believe the split that keeps groups whole"
        return f"{said}: by chance alone it could be none; no leak is proven, and none ruled out"


def gap_plans(plan: Plan) -> tuple[Plan, Plan]:
    """Return the plans of two probes on the train and val rows of `plan`.

    The first has them as they are. In the second they are dealt anew one by one, val as large as
    before. The other rows are in neither, so that the question costs no look at the test.

    Raises:
        ManifestError: no two rows are known to belong together.
    """
    manifest = plan.manifest.keep(plan.manifest.rows["split"].isin(["train", "val"]).to_numpy())
    if _groups(plan) == len(manifest):
        raise ManifestError(
            f"each of {len(manifest):,} rows is a group of its own, so that no split divides any. "
            "Say what belongs together: a column group in a table, or files that say where they "
            "lie; and leave split.ignore_groups off"
        )
    settings = plan.settled.recipe.split
    share = len(manifest.numbers("val")) / len(manifest)
    two = settings.model_copy(update={"val": share, "test": 0.0, "calibration": 0.0})
    alone = assign_splits(manifest.with_columns(group="", split=""), two)
    ignoring = settings.model_copy(update={"ignore_groups": True})
    return (
        replace(plan, manifest=manifest, name=f"{plan.name}-groups-whole"),
        replace(
            plan,
            settled=plan.settled.with_values("gap", split=ignoring),
            manifest=alone,
            leaks=(),
            name=f"{plan.name}-groups-ignored",
        ),
    )


def measure_gap(plan: Plan, tracker: Tracker, progress: Progress, run_one: RunOne) -> Gap:
    """Probe the rows of `plan` split honestly, and split as if groups were none.

    Args:
        plan: of the parent; its recipe is that of a probe.
        tracker: keeps the parent.
        progress: told of both runs.
        run_one: carries out the plan of one.

    Raises:
        ManifestError: no two rows are known to belong together.
        TransferError: as a run does; the parent is closed first.
    """
    plans = gap_plans(plan)
    parent = replace(plans[0], name=plan.name)
    logbook = Logbook(parent, tracker, log_pictures=False)
    with closing(tracker, plan.name):
        run_id = logbook.open({"transfer.gap": "groups whole, groups ignored"}, None)
        parts = run_all(plans, run_id, progress, run_one)
        heads = [{"groups": what} for what in _SPLITS[: len(parts)]]
        table = table_of(heads, plans, parts)
        logbook.table("scores/gap.csv", table)
        found = _compared(plan, [part.val for part in parts if part.status == "FINISHED"])
        numbers = {"": found.difference, "_low": found.low, "_high": found.high}
        tracker.log({f"gap/{plan.headline}{end}": n for end, n in numbers.items() if n is not None})
        tracker.tag({"transfer.found": found.words()})
        return replace(found, repeated=finished(parent, tracker, parts, table, {}))


def _compared(plan: Plan, scores: Sequence[Mapping[str, float]]) -> Gap:
    """Return the difference of the headline between two runs, where both have it."""
    name = plan.headline
    rows = sum(len(plan.manifest.numbers(split)) for split in ("train", "val"))
    gap = Gap(name, rows, _groups(plan))
    if len(scores) < len(_SPLITS):
        return gap
    honest, leaky = scores
    gap = replace(gap, difference=leaky[name] - honest[name])
    if not all(f"{name}{end}" in found for found in scores for end in ("_low", "_high")):
        return gap
    below, above = (
        math.hypot(leaky[name] - leaky[f"{name}{ours}"], honest[f"{name}{theirs}"] - honest[name])
        for ours, theirs in (("_low", "_high"), ("_high", "_low"))
    )
    middle = leaky[name] - honest[name]
    return replace(gap, low=middle - below, high=middle + above)


def _groups(plan: Plan) -> int:
    """Return how many groups the train and val rows of `plan` have."""
    chosen = plan.manifest.rows["split"].isin(["train", "val"]).to_numpy()
    return len(set(plan.manifest.group_numbers()[chosen].tolist()))
