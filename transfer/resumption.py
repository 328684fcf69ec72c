"""Continue a run that was killed or interrupted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from transfer.agreement import agree_on_plan, joined, tracker_for
from transfer.assembly import Place
from transfer.continuation import (
    Card,
    Continuation,
    check_data,
    check_processes,
    check_settings,
)
from transfer.errors import CheckpointError
from transfer.experiment import RunResult, run
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Progress, Silent
from transfer.start import finder
from transfer.tracking.runs import find_run
from transfer.tracking.store import DEFAULT_OUT, Store, open_store
from transfer.tracking.stored_runs import StoredRun

_SEVERAL = {"transfer.folds", "transfer.fractions"}  # tags of a parent


def resume(
    name: str,
    *,
    out: Path | str = DEFAULT_OUT,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Continue a run that was killed or interrupted, as if nothing had happened.

    It stays the same run of the store, and ends with the weights that it would have had.

    Args:
        name: name or id of the run, or "last".
        out: folder of the run store.
        tracking_uri: of an MLflow server, as when the run began.
        progress: told what happens; unset is silent.

    Raises:
        CheckpointError: it is over, or its data, its settings or its checkpoint are not what they
            were; the message says what differs.
        TransferError: as `fit` does.
    """
    with joined(progress or Silent()) as (processes, heard):
        store = open_store(Path(out), tracking_uri)
        continued = processes.first(lambda: _continuation(store, find_run(store, name)))
        card = processes.first(continued.card)
        check_processes(card, processes.share.size)
        return run(
            agree_on_plan(lambda: _plan(card, continued.splits(), heard), processes),
            tracker_for(store, heard, processes),
            heard,
            Place(finder(store), store.checkpoints, continued, processes),
            log_pictures=card.log_pictures,
        )


def _plan(card: Card, splits: Mapping[str, str], progress: Progress) -> Plan:
    task = load_task(card.task)
    check_settings(card, task.defaults())
    plan = make_plan(
        task,
        Path(card.data),
        [card.layer()],
        previous=splits,
        find_model=None,
        progress=progress,
    )
    check_data(card, plan.manifest, splits)
    return replace(plan, name=card.name)


def _continuation(store: Store, found: StoredRun) -> Continuation:
    if found.parent or _SEVERAL & set(found.tags):
        raise CheckpointError(
            f"run {found.name!r} is one of several that are judged together, or their parent; "
            "start all of them again with --folds or --fractions: features that are kept are not "
            "computed again"
        )
    folder = store.checkpoints(found.record_id)
    if not folder.is_dir():
        raise CheckpointError(
            f"run {found.name!r} is {found.status} and has no checkpoint in "
            f"{str(folder.parent)!r}, so there is nothing to continue; to start from its weights: "
            f"transfer fit ... --weights {found.name}"
        )
    return Continuation(folder)
