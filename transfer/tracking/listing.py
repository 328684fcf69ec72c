"""All runs of a store at once.

A database in a folder is read past MLflow, which takes seconds to import, and more for each
thousand runs: it makes an object of every number. Its tables are read as every MLflow since 1.0 has
written them; where they are not so, MLflow is asked.
"""

import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from transfer.tracking.delivery import RECORD_TAG
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import OURS, StoredRun, place_of, search, time_of

_RUNS = (
    "SELECT run_uuid, runs.name, experiments.name, status, start_time FROM runs "
    "JOIN experiments USING (experiment_id) "
    "WHERE runs.lifecycle_stage = 'active' AND experiments.lifecycle_stage = 'active' "
    "ORDER BY start_time DESC, run_uuid"
)
_PAIRS = "SELECT run_uuid, key, value FROM {table}"
_METRICS = "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics"
_DATA = (
    "SELECT inputs.destination_id, '', dataset_source FROM inputs "
    "JOIN datasets ON inputs.source_id = datasets.dataset_uuid "
    "WHERE inputs.source_type = 'DATASET' AND inputs.destination_type = 'RUN'"
)


def every_run(store: Store, tags: Mapping[str, str] | None = None) -> list[StoredRun]:
    """Return the store's runs of this framework that have these tags, the newest first.

    Raises:
        StoreError: the store does not answer.
    """
    wanted = tags or {}
    if store.database is not None:
        try:
            return _read(store.database, wanted)
        except sqlite3.Error:  # not there, being made at this moment, or of another make
            pass
    same = (f"tags.`{name}` = '{value}'" for name, value in wanted.items())
    return search(store, " AND ".join([OURS, *same]))


def _read(path: Path, wanted: Mapping[str, str]) -> list[StoredRun]:
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True)) as database:
        params, tags = (_by_run(database, _PAIRS.format(table=name)) for name in ("params", "tags"))
        metrics, data = _by_run(database, _METRICS), _by_run(database, _DATA)
        found = database.execute(_RUNS).fetchall()
    return [
        StoredRun(
            run_id=run,
            name=name,
            experiment=experiment,
            status=status,
            started=time_of(started),
            params=params.get(run, {}),
            tags=tags[run],
            metrics={key: _number(value) for key, value in metrics.get(run, {}).items()},
            data=place_of(data[run][""]) if run in data else "",
        )
        for run, name, experiment, status, started in found
        if RECORD_TAG in tags.get(run, {}) and wanted.items() <= tags[run].items()
    ]


def _by_run(database: sqlite3.Connection, query: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run, key, value in database.execute(query):
        found.setdefault(run, {}).setdefault(key, value)
    return found


def _number(value: float | None) -> float:
    return math.nan if value is None else value
