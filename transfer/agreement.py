"""One plan, one record and one voice, however many processes carry a run out."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from transfer.continuation import difference
from transfer.errors import ManifestError
from transfer.launch import join
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.processes import Processes
from transfer.progress import Progress, Silent
from transfer.tracking.mlflow_tracker import MlflowTracker
from transfer.tracking.store import Store
from transfer.tracking.tracker import SilentTracker, Tracker


@contextmanager
def joined(progress: Progress) -> Iterator[tuple[Processes, Progress]]:
    """Yield the processes that were started together, and who hears of their work.

    The first one speaks; the others are silent.

    Raises:
        ProcessError: the processes do not find each other, or one has gone.
    """
    processes = join()
    with processes.together():
        yield processes, progress if processes.share.is_first else Silent()


def tracker_for(store: Store, progress: Progress, processes: Processes) -> Tracker:
    """Return what keeps a run in `store`: the first process does."""
    return MlflowTracker(store, progress.warn) if processes.share.is_first else SilentTracker()


class _Agreed(NamedTuple):
    """What the first process decided, without anything that only its machine has."""

    task: str
    name: str
    recipe: dict[str, Any]
    data: Path
    splits: dict[str, str]
    digest: str
    parent: str | None
    host: str


def agree_on_plan(make: Callable[[], Plan], processes: Processes) -> Plan:
    """Return the plan that `make` gives in the first process, in all of them.

    The others look up no run and decide nothing; they read the rows from where the first one did.
    On each machine one process looks at the files before the others, which find what it saw in
    the user's cache folder.

    Raises:
        ManifestError: another machine has other data there.
        TransferError: as `make` does.
    """
    if processes.share.size == 1:
        return make()
    own: list[Plan] = []

    def decide() -> _Agreed:
        own.append(make())
        return _said(own[0])

    agreed = processes.first(decide)
    return processes.in_turn(lambda: own[0] if own else _made_again(agreed))


def _said(plan: Plan) -> _Agreed:
    return _Agreed(
        task=plan.task.name,
        name=plan.name,
        recipe=plan.settled.recipe.model_dump(mode="json"),
        data=plan.data,
        splits=dict(zip(plan.manifest.rows["key"], plan.manifest.rows["split"], strict=True)),
        digest=plan.manifest.digest(),
        parent=plan.parent,
        host=socket.gethostname(),
    )


def _made_again(agreed: _Agreed) -> Plan:
    plan = make_plan(
        load_task(agreed.task),
        agreed.data,
        [Layer("first process", agreed.recipe)],
        previous=agreed.splits,
        find_model=None,
        progress=Silent(),
    )
    keys = plan.manifest.rows["key"].tolist()
    if plan.manifest.digest() != agreed.digest or keys != list(agreed.splits):
        raise ManifestError(
            f"{str(agreed.data)!r} on {socket.gethostname()} is not what it is on {agreed.host}: "
            f"{difference(keys, agreed.splits)}, or their order. All processes need the same files"
        )
    return replace(plan, name=agreed.name, parent=agreed.parent)
