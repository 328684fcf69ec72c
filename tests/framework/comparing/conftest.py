"""Runs that only say something: a store of local records, without MLflow and without a network."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind, decode_targets
from transfer.scoring.metrics import SCORECARDS, point_scores
from transfer.tracking.events import Finished, Numbers, Read, Started, Tagged
from transfer.tracking.record import Record
from transfer.tracking.store import Store, open_store
from transfer.tracking.tracker import (
    HEADLINE_TAG,
    TARGET_TAG,
    TEST_TAG,
    DataInput,
    RunDescription,
)

CLASSES = ("cat", "dog", "NA")


def random_answers(
    seed: int = 0,
    *,
    rows: int = 120,
    each: int = 1,
    right: float = 0.7,
    truth: int = 0,
    classes: tuple[str, ...] = CLASSES,
) -> Predictions:
    """Say so many rows right by chance, in groups of `each`; `truth` draws the labels."""
    targets = np.random.default_rng([truth, 1]).integers(len(classes), size=rows)
    generator = np.random.default_rng([seed, 2])
    wrong = (targets + generator.integers(1, len(classes), size=rows)) % len(classes)
    said = np.where(generator.random(rows) < right, targets, wrong)
    probabilities = generator.dirichlet(np.ones(len(classes)), size=rows)
    probabilities[np.arange(rows), said] += 1
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(
        classes=classes,
        keys=np.array([f"row{number:05d}" for number in range(rows)]),
        groups=np.arange(rows) // each,
        targets=targets,
        probabilities=probabilities.astype(np.float32),
    )


def table_of(said: Predictions, split: str) -> pd.DataFrame:
    """Return what a run keeps of its answers, in another order than that of the keys."""
    labels = decode_targets(said.kind, said.targets, said.classes)
    columns = {f"p_{name}": said.probabilities[:, k] for k, name in enumerate(said.classes)}
    head = {"key": said.keys, "split": split, "group": said.groups, "label": labels}
    return pd.DataFrame({**head, **columns})[::-1]


@pytest.fixture
def answers() -> Callable[..., Predictions]:
    """Draw answers that are right by chance; see `random_answers`."""
    return random_answers


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without a database."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    out = tmp_path / "runs"
    (out / "records").mkdir(parents=True)
    return open_store(out)


Write = Callable[..., Record]


@pytest.fixture
def stored(store: Store) -> Write:
    """Write the record of a run that said this of its splits."""

    def write(
        name: str,
        of_split: Mapping[str, Predictions],
        params: Mapping[str, str] | None = None,
        task: str = "labelled_images",
        data: str = "",
        **tags: str,
    ) -> Record:
        kind = next(iter(of_split.values())).kind
        card = SCORECARDS[kind]
        own = {HEADLINE_TAG: card.headline, TARGET_TAG: kind.value, **tags}
        if "test" in of_split:
            own.setdefault(TEST_TAG, "digest")
        run = RunDescription(task, name, params or {"seed": "0", "lr": "0.001"}, own)
        start = Started(destination=store.destination, run=run)
        record = Record.create(store.records, start)
        tables = [table_of(said, split) for split, said in of_split.items()]
        content = io.BytesIO()
        pd.concat(tables, ignore_index=True).to_parquet(content, index=False)
        record.keep("predictions.parquet", content.getvalue())
        record.keep("recipe.json", b"{}")
        for split, said in of_split.items():
            scores = (
                {"rank_1": 0.5} if kind is TargetKind.IDENTITY else point_scores(said, card.scores)
            )
            record.append(Numbers(step=0, values={f"{split}/{n}": s for n, s in scores.items()}))
            _keep_decisions(record, said)
        if data:
            record.append(Read(inputs=(DataInput("data", "val", "0" * 16, data, 9, 3),)))
        record.append(Finished(status="FINISHED"))
        record.unlock()
        return record

    return write


def _keep_decisions(record: Record, said: Predictions) -> None:
    if said.thresholds is not None:
        each = zip(said.classes, said.thresholds.values, strict=True)  # no table
        table = pd.DataFrame(each, columns=["label", "threshold"])
        _keep(record, "thresholds", table, said.thresholds.fitted_on)
    if said.decisions is not None:
        table = pd.DataFrame(said.decisions.by_name.items(), columns=["decision", "value"])
        _keep(record, "decisions", table, said.decisions.fitted_on)


def _keep(record: Record, name: str, table: pd.DataFrame, fitted_on: str) -> None:
    content = table.assign(fitted_on=fitted_on).to_csv(index=False).encode()
    record.keep(f"decisions/{name}.csv", content)
    record.append(Tagged(tags={f"transfer.{name}": f"fitted on {fitted_on}"}))
