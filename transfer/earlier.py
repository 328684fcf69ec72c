"""The rows of an earlier run, read again: for those who go on with its network."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from transfer.errors import DataNotFoundError, ManifestError
from transfer.overlay import read_layer, settle
from transfer.plan import read_rows
from transfer.plugin.discovery import load_task
from transfer.plugin.task import Task
from transfer.progress import Progress, Silent
from transfer.recipe import Recipe
from transfer.samples.manifest import Manifest
from transfer.start import splits_of
from transfer.tracking.runs import fetch, find_run
from transfer.tracking.store import DEFAULT_OUT, Store, open_store
from transfer.tracking.stored_runs import StoredRun


def rows_of(
    run: str,
    *,
    data: Path | str | None = None,
    store: Path | str = DEFAULT_OUT,
    tracking_uri: str | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Return the rows that a run had, each in the split it was in.

    Rows that have come since are left out.

    Args:
        run: its name, its id or the start of it, or "last".
        data: where they are now; unset looks where the run read them.
        store: folder of the run store.
        tracking_uri: of the tracking server, where the store is not in that folder.
        progress: told what is read; unset is silent.

    Raises:
        RunNotFoundError: no such run.
        StoreError: the store cannot be read.
        DataNotFoundError, ManifestError: the rows are no longer there.
    """
    opened = open_store(Path(store), tracking_uri)
    found = find_run(opened, run)
    place = Path(data) if data is not None else _place_of(found)
    manifest = _read(opened, found, place, progress or Silent())
    splits = manifest.rows["key"].map(splits_of(opened, run))
    known = splits.notna().to_numpy(np.bool_)
    if not known.any():
        raise ManifestError(f"{str(place)!r} holds none of the rows of run {found.name!r}")
    return manifest.with_columns(split=splits.where(known, "")).keep(known)


def recipe_of(store: Store, run: StoredRun, task: Task) -> Recipe:
    """Return the recipe that a run of `task` had.

    Raises:
        TransferError: it was not kept, or this version does not know it.
    """
    with TemporaryDirectory() as folder:
        layer = read_layer(fetch(store, run, "recipe.json", Path(folder)))
    return settle(task.defaults(), [layer]).recipe


def _place_of(run: StoredRun) -> Path:
    place = Path(run.data)
    if not run.data or not place.exists():
        raise DataNotFoundError(
            f"the data of run {run.name!r} are not where it read them: {run.data!r}; "
            "say where they are now"
        )
    return place


def _read(store: Store, run: StoredRun, place: Path, progress: Progress) -> Manifest:
    task = load_task(run.experiment)
    recipe = recipe_of(store, run, task)
    return replace(read_rows(task, recipe, place, progress).manifest, notes=())
