"""Names of runs: taken ones, and the next free one."""

import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from transfer.errors import StoreError
from transfer.tracking.runs import LAST
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import local_runs, search


def unique_name(store: Store, experiment: str, wished: str) -> str:
    """Return `wished`, or the first of "wished-2", "wished-3", ... that no run is called yet."""
    taken = names_in_use(store, experiment) | {LAST}
    names = (wished if number == 1 else f"{wished}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def names_in_use(store: Store, experiment: str) -> set[str]:
    """Return the names of an experiment's runs; of a store that is away, only of local records."""
    names = {run.name for run in local_runs(store) if run.experiment == experiment}
    if store.database is not None:
        return names | _names_in_database(store.database, experiment)
    try:
        return names | {run.name for run in search(store, experiment=experiment)}
    except StoreError:
        return names


def _names_in_database(path: Path, experiment: str) -> set[str]:
    # Past MLflow, whose import takes seconds: a run wants its name before anything else happens.
    query = (
        "SELECT runs.name FROM runs JOIN experiments USING (experiment_id) "
        "WHERE experiments.name = ? AND runs.lifecycle_stage = 'active'"
    )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return {name for (name,) in database.execute(query, [experiment])}
    except sqlite3.Error:  # not there yet, or being made at this moment
        return set()
