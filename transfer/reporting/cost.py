"""What the depth of a run cost, beside the other runs on the same test rows."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import nan

from transfer.network.cost import Cost, count_cost
from transfer.tracking.runs import runs_on_test
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import HEADLINE_TAG, TEST_TAG, THROUGHPUT

_MOST = 12
_NOT_SO = (AssertionError, RuntimeError, ValueError)


@dataclass(frozen=True)
class CostOfRun:
    """One run: its backbone, what that costs, and what it came to on val.

    Attributes:
        name, backbone, strategy: of the run.
        size: of a picture, px.
        cost: of the backbone, for red, green and blue; None where this version does not know it.
        images_per_second: in training, nan where it was not measured.
        val: headline score.
        own: it is the run that is reported.
    """

    name: str
    backbone: str
    strategy: str
    size: str
    cost: Cost | None
    images_per_second: float
    val: float
    own: bool


def costs(store: Store, run: StoredRun) -> Sequence[CostOfRun]:
    """Return what `run` cost, then other finished runs on its test rows, cheapest first.

    Raises:
        StoreError: the store does not answer.
    """
    others = runs_on_test(store, run.tags[TEST_TAG]) if TEST_TAG in run.tags else []
    finished = [one for one in others if one.run_id != run.run_id and one.status == "FINISHED"]
    found = [_cost(one, own=False) for one in finished[: _MOST - 1]]
    return sorted(
        [_cost(run, own=True), *found], key=lambda one: (one.cost.macs if one.cost else 0, one.name)
    )


def _cost(run: StoredRun, *, own: bool) -> CostOfRun:
    backbone, size = run.params.get("backbone", ""), run.params.get("size", "")
    cost: Cost | None = None
    with suppress(*_NOT_SO):  # of a package that is not here
        cost = count_cost(backbone, int(size))
    return CostOfRun(
        name=run.name,
        backbone=backbone,
        strategy=run.params.get("strategy", ""),
        size=size,
        cost=cost,
        images_per_second=run.metrics.get(THROUGHPUT, nan),
        val=run.metrics.get(f"val/{run.tags.get(HEADLINE_TAG, '')}", nan),
        own=own,
    )
