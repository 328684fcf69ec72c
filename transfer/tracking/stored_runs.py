"""Runs as the store has them, beside what only their local records have yet."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from transfer.tracking.delivery import PARENT_TAG, RECORD_TAG
from transfer.tracking.door import answering
from transfer.tracking.events import Finished, Numbers, Read, Reopened, Started, Tagged
from transfer.tracking.record import Record, records_in
from transfer.tracking.store import Store, connect, exists
from transfer.tracking.tracker import COMPARED_TAG

if TYPE_CHECKING:
    from mlflow.entities import Run

OURS = f"tags.`{RECORD_TAG}` LIKE '%'"
"""MLflow's search for the runs of this framework, comparisons included."""

TRAINED = f"{OURS} AND tags.`{COMPARED_TAG}` IS NULL"
"""The same, for those that trained something."""

PAGE = 1000
"""The most runs of one request."""


@dataclass(frozen=True)
class StoredRun:
    """One run, as its store or its local record has it.

    Attributes:
        run_id: in the store; the record's id where the store does not have the run.
        name: what people call it.
        experiment: the task's name.
        status: RUNNING, FINISHED, FAILED or KILLED.
        started: when, UTC.
        params, tags: as text.
        metrics: the latest value of each.
        record: folder of the local record, while something is not delivered or may still come.
        is_delivered: the store has had all of the record.
        data: the folder or table that it read, "" where nothing tells.
    """

    run_id: str
    name: str
    experiment: str
    status: str
    started: datetime
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    record: Path | None = None
    is_delivered: bool = True
    data: str = ""

    @property
    def record_id(self) -> str:
        """The id of the run's record, which is that of its checkpoints, and resumes it."""
        return self.tags[RECORD_TAG]

    @property
    def parent(self) -> str:
        """Id of the run that this one is a part of, in the store or its record's; "" for none."""
        return self.tags.get(PARENT_TAG, "")

    @property
    def is_comparison(self) -> bool:
        """Say whether it compares other runs, and trained nothing."""
        return COMPARED_TAG in self.tags

    @property
    def is_local(self) -> bool:
        """Say whether the store knows nothing of the run yet."""
        return self.run_id == self.record_id

    @property
    def ids(self) -> tuple[str, str]:
        """Both ids that find the run: the store's and its record's."""
        return self.run_id, self.record_id


def search(
    store: Store, wanted: str = OURS, *, most: int | None = None, experiment: str | None = None
) -> list[StoredRun]:
    """Return the store's runs for which `wanted` holds, the newest first; of one experiment or all.

    Raises:
        StoreError: the store does not answer.
    """
    if not exists(store):
        return []
    with answering(store.address):
        client = connect(store)
        names = {
            found.experiment_id: found.name
            for found in client.search_experiments()
            if experiment in {None, found.name}
        }
        if not names:
            return []
        order = ["attributes.start_time DESC"]
        page = client.search_runs(list(names), wanted, max_results=most or PAGE, order_by=order)
        runs = list(page)
        while page.token and most is None:
            page = client.search_runs(
                list(names), wanted, max_results=PAGE, order_by=order, page_token=page.token
            )
            runs += page
    return [_stored(run, names[run.info.experiment_id]) for run in runs]


def local_runs(store: Store) -> list[StoredRun]:
    """Return the runs that have a record here, as it tells them."""
    return [_told(record, first) for record, first in records_in(store.records)]


def merged(remote: Iterable[StoredRun], local: Iterable[StoredRun]) -> list[StoredRun]:
    """Return each run once, the newest first: as the store has it, but with its record's status.

    A run that the store had, and that was deleted there, is none.
    """
    here = {run.run_id: run for run in local}
    runs: dict[str, StoredRun] = {}
    for run in remote:
        own = here.pop(run.record_id, None)
        told = run if own is None else replace(run, record=own.record, status=own.status)
        runs.setdefault(run.run_id, told)
    undelivered = [run for run in here.values() if not run.is_delivered]
    return sorted([*runs.values(), *undelivered], key=lambda run: run.started, reverse=True)


def place_of(source: str) -> str:
    """Return the folder or table of a data set's source, as `Delivery` writes it; "" of others."""
    try:
        return str(json.loads(source)["uri"])
    except (ValueError, KeyError, TypeError):  # of another tool
        return ""


def time_of(milliseconds: int) -> datetime:
    """Return a time that is kept as milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _stored(run: "Run", experiment: str) -> StoredRun:
    return StoredRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        experiment=experiment,
        status=run.info.status,
        started=time_of(run.info.start_time),
        params=run.data.params,
        tags=run.data.tags,
        metrics=run.data.metrics,
        data=next((place_of(data.dataset.source) for data in run.inputs.dataset_inputs), ""),
    )


def _told(record: Record, first: Started) -> StoredRun:
    tags, metrics, status, data = dict(first.run.tags), dict[str, float](), "", ""
    for event, _ in record.events():
        match event:
            case Tagged():
                tags |= event.tags
            case Numbers():
                metrics |= event.values
            case Read(inputs=inputs):
                data = next((read.source for read in inputs), data)
            case Finished():
                status = event.status
            case Reopened():
                status = ""
    if first.run.parent is not None:
        tags[PARENT_TAG] = first.run.parent
    return StoredRun(
        run_id=record.id,
        name=first.run.name,
        experiment=first.run.experiment,
        status=status or ("RUNNING" if record.is_locked() else "KILLED"),
        started=time_of(first.time),
        params=first.run.params,
        tags={**tags, RECORD_TAG: record.id},
        metrics=metrics,
        record=record.folder,
        is_delivered=record.is_delivered,
        data=data,
    )
