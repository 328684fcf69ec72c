"""What a run kept, read back for its page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from transfer.comparing.answers import read_answers
from transfer.earlier import rows_of
from transfer.errors import ComparisonError, DataNotFoundError, ManifestError, TransferError
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.reporting.again import command
from transfer.reporting.cost import CostOfRun, costs
from transfer.reporting.exhibits import Exhibit, exhibits_of
from transfer.reporting.slices import Slice, slices_of
from transfer.samples.manifest import Manifest
from transfer.samples.predictions import Predictions
from transfer.scoring.metrics import SCORECARDS
from transfer.shipping.predictor import Predictor
from transfer.tracking.runs import fetch, model_folder
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun

_FIGURES = ("learning_curves",)
_OF_SPLIT = ("confusion", "reliability", "labels")


@dataclass(frozen=True)
class Report:
    """All that there is to say of a run.

    Attributes:
        run: whose page it is.
        notice: what the task wants everyone to know who reads its scores.
        split: whose rows the tables are of: test, or val where the run was broken off.
        counts: rows by class and split.
        scores: of val and test: score, value, low, high, note.
        per_class: of `split`.
        figures: PNG files by name: curves, then those of `split`.
        slices: of `split`, by the free columns.
        exhibits: the surest mistakes.
        costs: of this run and of others on the same test rows.
        command: makes it again.
        notes: what is left out, and why.
    """

    run: StoredRun
    notice: str
    split: str
    counts: pd.DataFrame
    scores: Mapping[str, pd.DataFrame]
    per_class: pd.DataFrame
    figures: Mapping[str, bytes]
    slices: Sequence[Slice]
    exhibits: Sequence[Exhibit]
    costs: Sequence[CostOfRun]
    command: str
    notes: Sequence[str] = field(default=())


def gather(
    store: Store, run: StoredRun, task: Task, progress: Progress, *, show_images: bool
) -> Report:
    """Return what `run` kept, and what can be found out about it with its rows at hand.

    Args:
        store: where the run is.
        run: whose page it shall be.
        task: of the run.
        progress: told what takes time.
        show_images: pictures of the data may be on it.

    Raises:
        ComparisonError, DataNotFoundError: the run came to no scores.
        StoreError: the store does not answer.
    """
    with TemporaryDirectory() as folder:
        kept = _Kept(store, run, Path(folder))
        said, split = _said(store, run)
        notes: list[str] = []
        manifest = _rows(store, run, progress, notes)
        scores = {name: kept.table(f"scores/{name}.csv") for name in ("val", "test")}
        return Report(
            run=run,
            notice=task.notice,
            split=split,
            counts=_whole(kept.table("data/counts.csv")),
            scores={name: table for name, table in scores.items() if table is not None},
            per_class=_whole(kept.table(f"scores/{split}_per_class.csv")),
            figures=kept.figures(split),
            slices=_slices(said, manifest, notes),
            exhibits=_exhibits(store, run, task, progress, said, manifest, notes)
            if show_images
            else (),
            costs=costs(store, run),
            command=command(run, task),
            notes=tuple(notes),
        )


@dataclass(frozen=True)
class _Kept:
    """The files that a run keeps."""

    store: Store
    run: StoredRun
    into: Path

    def table(self, path: str) -> pd.DataFrame | None:
        content = self._content(path)
        return None if content is None else pd.read_csv(content, keep_default_na=True)

    def figures(self, split: str) -> dict[str, bytes]:
        names = [*_FIGURES, *(f"{split}_{name}" for name in _OF_SPLIT)]
        found = {name: self._content(f"figures/{name}.png") for name in names}
        return {name: path.read_bytes() for name, path in found.items() if path is not None}

    def _content(self, path: str) -> Path | None:
        try:
            return fetch(self.store, self.run, path, self.into)
        except DataNotFoundError:
            return None


def _whole(table: pd.DataFrame | None) -> pd.DataFrame:
    return pd.DataFrame() if table is None else table


def _said(store: Store, run: StoredRun) -> tuple[Predictions, str]:
    """Return what was said of the test rows, else of the val rows, and which they are."""
    try:
        return read_answers(store, run, "test").said, "test"
    except ComparisonError:
        return read_answers(store, run, "val").said, "val"


def _rows(store: Store, run: StoredRun, progress: Progress, notes: list[str]) -> Manifest | None:
    try:
        return rows_of(run.run_id, store=store.out, tracking_uri=store.uri, progress=progress)
    except (DataNotFoundError, ManifestError) as error:
        notes.append(f"no slices and no pictures: {error}")
        return None


def _slices(said: Predictions, manifest: Manifest | None, notes: list[str]) -> list[Slice]:
    if manifest is None:
        return []
    if SCORECARDS[said.kind].by_embeddings:
        notes.append("no slices: an identity is judged by embeddings, which no run keeps")
        return []
    number_of = {key: number for number, key in enumerate(manifest.rows["key"])}
    numbers = pd.Series(said.keys).map(number_of)
    facts = manifest.facts(numbers.dropna().to_numpy(dtype="int64"))
    facts.index = numbers.dropna().index
    return list(slices_of(said, facts.reindex(numbers.index)))


def _exhibits(  # noqa: PLR0913, PLR0917  # what exhibits are made of, and where a refusal is told
    store: Store,
    run: StoredRun,
    task: Task,
    progress: Progress,
    said: Predictions,
    manifest: Manifest | None,
    notes: list[str],
) -> list[Exhibit]:
    if manifest is None:
        return []
    if SCORECARDS[said.kind].by_embeddings:
        notes.append("no mistakes: an identity is judged by comparing pictures, not one by one")
        return []
    try:
        predictor = Predictor.from_folder(model_folder(store, run))
        return exhibits_of(said, manifest, predictor, task, progress)
    except TransferError as error:  # the page tells most of it without
        notes.append(f"no pictures of mistakes: {error}")
        return []
