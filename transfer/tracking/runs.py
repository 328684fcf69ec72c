"""Runs of a store, read back: one by its name, all as a table, and what they keep."""

import difflib
import math
import posixpath
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from platformdirs import user_cache_path

from transfer.errors import DataNotFoundError, RunNotFoundError, StoreError
from transfer.tracking.delivery import RECORD_TAG
from transfer.tracking.door import answering, mlflow_module
from transfer.tracking.listing import every_run
from transfer.tracking.logged_model import MODEL_FILES, VERSION_TAG, find_model
from transfer.tracking.record import Record
from transfer.tracking.registry import run_of_alias
from transfer.tracking.store import Store, connect
from transfer.tracking.stored_runs import (
    OURS,
    TRAINED,
    StoredRun,
    local_runs,
    merged,
    search,
)
from transfer.tracking.tracker import AUDIT_TAG, HEADLINE_TAG, TEST_TAG, THROUGHPUT

if TYPE_CHECKING:
    import pandas as pd

LAST = "last"
"""The name that stands for the run that started last."""

_SHORTEST_ID = 6
_COLUMNS = (
    "name",
    "task",
    "backbone",
    "strategy",
    "val",
    "val_low",
    "val_high",
    "test",
    "test_low",
    "test_high",
    "images_per_second",
    "started",
    "status",
    "run_id",
    "parent",
    "audit",
)


def find_run(store: Store, run: str) -> StoredRun:
    """Return the run with this name, id or start of an id (6 characters or more), or the "last".

    Where no run is called so, "ALIAS:NAME" is the run of the registered model NAME with that alias.
    The last is never a part of another run, nor a comparison.
    Both ids find a run: MLflow's and that of its record, which the tracker gave when it started.

    Raises:
        RunNotFoundError: there is none, or more than one.
        StoreError: the store does not answer, and no local record fits.
    """
    try:
        known = merged(_asked(store, run), local_runs(store))
    except StoreError:
        known = local_runs(store)[::-1]  # what the store has not got yet is still here
        if not any(_fits(one, run) for one in known):
            raise
    found = [one for one in known if _fits(one, run)]
    exact = [one for one in found if run in one.ids]
    found = exact or (sorted(found, key=_is_aside)[:1] if run == LAST else found)
    if not found and (promoted := run_of_alias(store, run)) is not None:
        return find_run(store, promoted)
    if not found:
        raise RunNotFoundError(_not_found(store, run))
    if len(found) > 1:
        lines = [f"{one.run_id}  {one.started:%Y-%m-%d %H:%M}  {one.status}" for one in found]
        raise RunNotFoundError(
            "\n  ".join([f"{run!r} fits {len(found)} runs; give an id:", *lines])
        )
    return found[0]


def list_runs(store: Store) -> "pd.DataFrame":
    """Return one row for each run that trained something, the newest first.

    Columns: name, task, backbone, strategy, val, val_low, val_high, test, test_low, test_high (the
    headline score of the task), images_per_second, started (UTC), status, run_id, parent: the id
    of the run that it is a part of, or "", and audit: "clean", what is wrong with its rows, or ""
    where nobody looked.

    Raises:
        StoreError: the store does not answer.
    """
    import pandas as pd  # noqa: PLC0415  # half a second that finding one run need not wait for

    runs = merged(every_run(store), local_runs(store))
    trained = [_row(run) for run in runs if not run.is_comparison]
    return pd.DataFrame(trained, columns=list(_COLUMNS))


def runs_on_test(store: Store, digest: str) -> list[StoredRun]:
    """Return the runs whose scores on the test rows called `digest` somebody has seen.

    Raises:
        StoreError: the store does not answer.
    """
    local = [run for run in local_runs(store) if run.tags.get(TEST_TAG) == digest]
    return [
        run
        for run in merged(every_run(store, {TEST_TAG: digest}), local)
        if not run.is_comparison and any(name.startswith("test/") for name in run.metrics)
    ]


def fetch(store: Store, run: StoredRun, path: str, into: Path) -> Path:
    """Copy the file or folder that the run keeps under `path` into the folder `into`.

    Raises:
        DataNotFoundError: the run keeps no such thing.
        StoreError: the store does not answer.
    """
    into.mkdir(parents=True, exist_ok=True)
    if run.record is not None and (kept := Record(run.record).file(path)).is_file():
        return Path(shutil.copy2(kept, into))
    beside: list[str] = []
    if not run.is_local:
        with answering(store.address):
            client, folder = connect(store), posixpath.dirname(path)
            beside = sorted(file.path for file in client.list_artifacts(run.run_id, folder))
            if path in beside:
                return Path(client.download_artifacts(run.run_id, path, str(into)))
    raise DataNotFoundError(f"run {run.name!r} keeps no {path!r}; beside it there are {beside}")


def model_folder(store: Store, run: StoredRun) -> Path:
    """Return the folder with the files of the run's model; one on a server is downloaded once.

    Raises:
        RunNotFoundError: the run kept no model.
        StoreError: the store does not answer.
    """
    if run.record is not None and (folder := Record(run.record).model).is_dir():
        return folder
    model = None
    if not run.is_local:
        with answering(store.address):
            client = connect(store)
            experiment = client.get_experiment_by_name(run.experiment)
            model = find_model(client, experiment.experiment_id, run.run_id)
    if model is None:
        raise RunNotFoundError(f"run {run.name!r} ({run.run_id}, {run.status}) kept no model")
    location = f"{model.artifact_location}/{MODEL_FILES}"
    if location.startswith("file:"):
        return Path(url2pathname(urlsplit(location).path))
    version = model.tags.get(VERSION_TAG, "")
    return _downloaded(store, location, f"{model.model_id}-{version}")


def _downloaded(store: Store, location: str, name: str) -> Path:
    """Return the files of a model from the user's cache, where `name` tells versions apart."""
    cache = user_cache_path("resnet-transfer") / "models"
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache) as place, answering(store.address):
        artifacts = mlflow_module("mlflow.artifacts")
        loaded = artifacts.download_artifacts(
            artifact_uri=location, dst_path=place, tracking_uri=store.uri
        )
        Path(loaded).rename(folder)
    return folder


def _asked(store: Store, run: str) -> Iterator[StoredRun]:
    """Yield the runs of the store that `run` may mean."""
    if run == LAST:
        yield from _last(store)
        return
    if re.fullmatch(rf"[0-9a-f]{{{_SHORTEST_ID},}}", run):
        yield from search(store, f"{OURS} AND attributes.run_id LIKE '{run}%'")
        yield from search(store, f"tags.`{RECORD_TAG}` LIKE '{run}%'")
    quote = "'" if '"' in run else '"'
    if quote not in run:  # a name with both kinds of quotes cannot be asked for; its id can
        yield from search(store, f"{OURS} AND attributes.run_name = {quote}{run}{quote}")


def _last(store: Store) -> list[StoredRun]:
    """Return the newest run of the store, or the one that this is a part of."""
    newest = search(store, TRAINED, most=1)
    while newest and newest[0].parent:
        above = search(store, f"{OURS} AND attributes.run_id = '{newest[0].parent}'")
        newest = above or [one for one in every_run(store) if not _is_aside(one)]
    return newest


def _is_aside(run: StoredRun) -> bool:
    return bool(run.parent) or run.is_comparison


def _fits(one: StoredRun, run: str) -> bool:
    starts = len(run) >= _SHORTEST_ID and any(id_.startswith(run) for id_ in one.ids)
    return starts or run in {one.name, LAST}


def _not_found(store: Store, run: str) -> str:
    known = [run for run in merged(every_run(store), local_runs(store)) if not run.is_comparison]
    if not known:
        return f"no run {run!r}: {store.address} holds none yet"
    near = difflib.get_close_matches(run, sorted({one.name for one in known}), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"the last one is {known[0].name}"
    return f"no run {run!r} in {store.address}; {hint}"


def _row(run: StoredRun) -> tuple[object, ...]:
    headline = run.tags.get(HEADLINE_TAG, "")
    scores = [
        run.metrics.get(f"{split}/{headline}{end}", math.nan)
        for split in ("val", "test")
        for end in ("", "_low", "_high")
    ]
    settings = [run.params.get(name, "") for name in ("backbone", "strategy")]
    speed = run.metrics.get(THROUGHPUT, math.nan)
    return (
        run.name,
        run.experiment,
        *settings,
        *scores,
        speed,
        run.started,
        run.status,
        run.run_id,
        run.parent,
        run.tags.get(AUDIT_TAG, ""),
    )
