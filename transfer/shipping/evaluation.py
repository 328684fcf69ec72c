"""An earlier run judged on other labelled data."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from transfer.errors import ManifestError
from transfer.plan import judging_of, read_rows
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.samples.predictions import Predictions
from transfer.samples.target import CODES, encode_labels
from transfer.scoring.intervals import Score, per_class_table
from transfer.shipping.predictor import Predictor


@dataclass(frozen=True)
class Evaluation:
    """Scores of a network on rows that had no part in its training, as far as anyone knows.

    Attributes:
        rows: how many were judged.
        scores: with intervals.
        per_class: scores of each class.
        predictions: what was said, row by row.
    """

    rows: int
    scores: Mapping[str, Score]
    per_class: pd.DataFrame
    predictions: Predictions

    def table(self) -> pd.DataFrame:
        """Return one row for each score: its name, value, low, high and note."""
        return pd.DataFrame([{"score": name, **s._asdict()} for name, s in self.scores.items()])


def evaluate(predictor: Predictor, task: Task, data: Path, progress: Progress) -> Evaluation:
    """Judge `predictor` on all labelled rows of `data`; splits in it are not looked at.

    Raises:
        ManifestError: it has a class that the network does not know.
        DataNotFoundError: there is nothing to read.
    """
    manifest = read_rows(task, predictor.recipe, data, progress).manifest
    kind = predictor.target
    names = {name for label in set(manifest.rows["label"]) for name in CODES[kind].names(label)}
    if unknown := sorted(names - set(predictor.classes)):
        raise ManifestError(
            f"{data} has class(es) {unknown} that the run does not know; it knows "
            f"{list(predictor.classes)}"
        )
    said = predictor.answer(manifest.all_rows(), progress)
    predictions = Predictions(
        classes=predictor.classes,
        keys=manifest.rows["key"].to_numpy(dtype=np.str_),
        groups=manifest.group_numbers(),
        targets=encode_labels(kind, manifest.rows["label"].tolist(), predictor.classes),
        probabilities=said.probabilities,
        kind=kind,
        embeddings=said.embeddings,
        thresholds=predictor.thresholds,
        decisions=predictor.decisions,
        facts=manifest.facts(np.arange(len(manifest))),
    )
    scores = judging_of(task, predictor.recipe, kind).scores(predictions)
    if task.notice:
        progress.say(f"notice     {task.notice}")
    return Evaluation(len(manifest), scores, per_class_table(predictions), predictions)
