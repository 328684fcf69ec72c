"""A comparison kept in the run store, as a run of its own that points at those it compares."""

import json
from collections.abc import Sequence

from transfer.comparing.page import as_page
from transfer.comparing.result import Comparison, Pair
from transfer.progress import Progress
from transfer.tracking.environment import environment_tags
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.names import unique_name
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import (
    COMPARED_TAG,
    HEADLINE_TAG,
    NOTE_TAG,
    RunDescription,
    Tracker,
)

_LONGEST_NAME = 80


def keep(found: Comparison, runs: Sequence[StoredRun], store: Store, progress: Progress) -> str:
    """Keep `found` as a run of `store` and return its id.

    Raises:
        OutputError: the folder of the store cannot be written to.
    """
    wished = f"compare-{'-'.join(side.name for side in found.sides)}"[:_LONGEST_NAME]
    name = unique_name(store, found.task, wished)
    return write(found, runs, MlflowTracker(store, progress.warn), name)


def write(found: Comparison, runs: Sequence[StoredRun], tracker: Tracker, name: str) -> str:
    """Tell `tracker` all of a comparison of `runs`, and return the id that it has there.

    Pictures are no part of it: they stay where the data are.
    """
    tags = {
        **environment_tags(),
        "transfer.task": found.task,
        HEADLINE_TAG: found.headline,
        COMPARED_TAG: ",".join(dict.fromkeys(run.run_id for run in runs)),
        "transfer.compared_on": found.split,
        NOTE_TAG: "\n\n".join(pair.verdict for pair in found.pairs),
    }
    tracker.start(RunDescription(found.task, name, tags=tags))
    for pair in found.pairs:
        tracker.log(_numbers(pair, alone=len(found.pairs) == 1))
    tracker.keep("comparison.json", json.dumps(found.as_json(), indent=1).encode())
    tracker.keep("comparison.html", as_page(found).encode())
    return tracker.finish("FINISHED")


def _numbers(pair: Pair, *, alone: bool) -> dict[str, float]:
    which = "" if alone else f"{pair.first} to {pair.second}/"
    numbers: dict[str, float] = {}
    for gap in pair.gaps:
        ends = {"": gap.difference, "_low": gap.low, "_high": gap.high, "_p": gap.corrected}
        numbers |= {
            f"{which}gap/{gap.score}{end}": value
            for end, value in ends.items()
            if value is not None
        }
    return numbers
