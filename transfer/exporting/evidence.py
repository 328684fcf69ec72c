"""Pictures that a model is tried on before it leaves: rows of the run, else samples of its task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from transfer.earlier import rows_of
from transfer.errors import DataNotFoundError, ExportError, ManifestError
from transfer.images.framing import frame
from transfer.pixels.cache import as_float, stack
from transfer.plan import read_rows
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.recipe import Recipe
from transfer.samples.manifest import Manifest, Row
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun

BATCH = 32
_MOST = 64  # rows that every format is tried on
_SAMPLES, _SEED = 24, 0


@dataclass(frozen=True, eq=False)
class Evidence:
    """What every format has to answer as the run does.

    Attributes:
        pixels: (N, C, S, S) float32 in [0, 1].
        what: which pictures they are, for people.
    """

    pixels: NDArray[np.float32]
    what: str


def rows_in_splits(
    store: Store, run: StoredRun, data: Path | None, progress: Progress
) -> Manifest | None:
    """Return the rows of `run` in their splits, or None where its data are gone.

    Raises:
        DataNotFoundError, ManifestError: they are not in `data`.
    """
    try:
        return rows_of(
            run.run_id, data=data, store=store.out, tracking_uri=store.uri, progress=progress
        )
    except (DataNotFoundError, ManifestError):
        if data is not None:
            raise
        return None


def evidence_of(
    manifest: Manifest | None, task: Task, recipe: Recipe, progress: Progress
) -> Evidence:
    """Return val rows of `manifest` to try a model on; without one, drawn samples of the task.

    Raises:
        ExportError: there are neither.
    """
    if manifest is not None and len(numbers := manifest.numbers("val")):
        rows = [manifest.row(int(number)) for number in numbers[:_MOST]]
        return Evidence(_read(task, recipe, rows), f"{len(rows)} of its val rows")
    if task.write_samples is None:
        raise ExportError(
            f"nothing to try the model on: its data are no longer where the run read them, and "
            f"{task.name} draws no samples; say where the data are with --data"
        )
    with TemporaryDirectory() as place:
        folder = Path(place, task.name)
        task.write_samples(folder, _SAMPLES, _SEED)
        drawn = read_rows(task, recipe, folder, progress).manifest
        pixels = _read(task, recipe, drawn.all_rows())
    return Evidence(pixels, f"{len(pixels)} drawn samples of its task")


def read_pixels(task: Task, recipe: Recipe, rows: Sequence[Row]) -> Iterator[NDArray[np.float32]]:
    """Yield the pictures of `rows` as the run reads them: (B, C, S, S) float32 in [0, 1], B <= 32.

    Raises:
        ImageError: one can no longer be read.
    """
    read = task.reader(recipe.task, recipe.bands)
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        framed = [frame(read(row), recipe.size, recipe.framing) for row in part]
        yield np.ascontiguousarray(as_float(stack(framed, part)).transpose(0, 3, 1, 2))


def _read(task: Task, recipe: Recipe, rows: Sequence[Row]) -> NDArray[np.float32]:
    return np.concatenate(list(read_pixels(task, recipe, rows)))
