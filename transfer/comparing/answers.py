"""What runs said of the same rows, read back from their store and laid side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from transfer.errors import ComparisonError
from transfer.samples.predictions import Decisions, Predictions, Thresholds
from transfer.samples.target import TargetKind, encode_labels
from transfer.scoring.metrics import SCORECARDS
from transfer.tracking.runs import fetch
from transfer.tracking.store import Store
from transfer.tracking.stored_runs import StoredRun
from transfer.tracking.tracker import TARGET_TAG

_PREFIX = "p_"
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class Answers:
    """What one run said of the rows of a split, sorted by row key.

    Attributes:
        run: whose they are.
        said: beside what is true; without embeddings and facts, which no run keeps.
    """

    run: StoredRun
    said: Predictions


def read_answers(store: Store, run: StoredRun, split: str) -> Answers:
    """Return what `run` said of the rows of `split`.

    Raises:
        ComparisonError: it kept nothing about that split.
        DataNotFoundError: it kept no predictions at all.
        StoreError: the store does not answer.
    """
    with TemporaryDirectory() as folder:
        table = pd.read_parquet(fetch(store, run, "predictions.parquet", Path(folder)))
        thresholds = _decided(store, run, "thresholds", Path(folder))
        decisions = _decided(store, run, "decisions", Path(folder))
    said = _predictions(_of_split(table, run, split), kind_of(run))
    if thresholds is not None:
        limits = tuple(float(limit) for limit in thresholds["threshold"])
        said = replace(said, thresholds=Thresholds(limits, _fitted_on(thresholds)))
    if decisions is not None:
        values = {row["decision"]: float(row["value"]) for row in decisions.to_dict("records")}
        said = replace(said, decisions=Decisions(values, _fitted_on(decisions)))
    return Answers(run, said)


def kind_of(run: StoredRun) -> TargetKind:
    """Return the kind of a run's target: as it is tagged, else as its scores tell."""
    if tag := run.tags.get(TARGET_TAG):
        return TargetKind(tag)
    # Untagged by an earlier version. Single labels last: their headline is a score of others, too.
    kinds = [*(kind for kind in TargetKind if kind is not TargetKind.SINGLE_LABEL)]
    told = (kind for kind in kinds if f"val/{SCORECARDS[kind].headline}" in run.metrics)
    return next(told, TargetKind.SINGLE_LABEL)


def check_alike(answers: Sequence[Answers]) -> None:
    """Refuse answers that are not about the same rows, so that no pair of them means anything.

    Raises:
        ComparisonError: classes, rows, labels or groups of a run differ from those of the first.
    """
    first = answers[0]
    for other in answers[1:]:
        if (difference := _difference(first.said, other.said)) is not None:
            raise ComparisonError(
                f"runs {first.run.name!r} and {other.run.name!r} cannot be compared: {difference}"
            )


def _difference(first: Predictions, other: Predictions) -> str | None:
    """Return in words what keeps two runs from being paired, or None."""
    if first.kind is not other.kind:
        return f"their targets are {first.kind.value} and {other.kind.value}"
    if first.classes != other.classes:
        only = [sorted({*a.classes} - {*b.classes}) for a, b in ((first, other), (other, first))]
        return f"their classes differ; only the first knows {only[0]}, only the second {only[1]}"
    if not np.array_equal(first.keys, other.keys):
        lacks = [sorted({*a.keys} - {*b.keys}) for a, b in ((first, other), (other, first))]
        examples = ", ".join(str(key) for key in (lacks[0] + lacks[1])[:_SHOWN])
        return (
            f"of {len(first)} and {len(other)} rows {len(lacks[0])} are only in the first and "
            f"{len(lacks[1])} only in the second ({examples}); give the second the rows of the "
            "first with transfer fit --split RUN"
        )
    differs = (first.targets != other.targets).reshape(len(first), -1).any(axis=1)
    if differs.any():
        examples = ", ".join(str(key) for key in first.keys[differs][:_SHOWN])
        return f"{int(differs.sum())} row(s) have another label in the second ({examples})"
    pairs = len({*zip(first.groups.tolist(), other.groups.tolist(), strict=True)})
    if not pairs == len(np.unique(first.groups)) == len(np.unique(other.groups)):
        return "their rows are grouped differently; were groups ignored in one of them?"
    return None


def _of_split(table: pd.DataFrame, run: StoredRun, split: str) -> pd.DataFrame:
    rows = table[table["split"] == split]
    if rows.empty:
        kept = ", ".join(sorted(table["split"].unique()))
        raise ComparisonError(
            f"run {run.name!r} ({run.status.lower()}) says nothing of {split} rows; "
            f"it kept what it said of: {kept}"
        )
    return rows.sort_values("key", kind="stable")


def _predictions(rows: pd.DataFrame, kind: TargetKind) -> Predictions:
    columns = [name for name in rows.columns if name.startswith(_PREFIX)]
    classes = tuple(name.removeprefix(_PREFIX) for name in columns)
    return Predictions(
        classes=classes,
        keys=rows["key"].to_numpy(dtype=np.str_),
        groups=rows["group"].to_numpy(dtype=np.int64),
        targets=encode_labels(kind, rows["label"].tolist(), classes),
        probabilities=rows[columns].to_numpy(dtype=np.float32),
        kind=kind,
    )


def _decided(store: Store, run: StoredRun, name: str, folder: Path) -> pd.DataFrame | None:
    """Return the table of decisions called `name`, or None where the run made none."""
    if f"transfer.{name}" not in run.tags:
        return None
    path = fetch(store, run, f"decisions/{name}.csv", folder)
    return pd.read_csv(path, keep_default_na=False)  # a label may be called NA


def _fitted_on(table: pd.DataFrame) -> str:
    return str(table["fitted_on"].iloc[0])
