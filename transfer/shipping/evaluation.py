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
from transfer.samples.manifest import Manifest
from transfer.samples.predictions import Predictions, Said, over_classes
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

    People whom the network did not learn are judged like others: by comparing pictures.

    Raises:
        ManifestError: it has a class that the network does not know and cannot do without.
        DataNotFoundError: there is nothing to read.
    """
    manifest = read_rows(task, predictor.recipe, data, progress).manifest
    found = evaluate_rows(predictor, task, manifest, progress)
    if task.notice:
        progress.say(f"notice     {task.notice}")
    return found


def evaluate_rows(
    predictor: Predictor, task: Task, manifest: Manifest, progress: Progress
) -> Evaluation:
    """Judge `predictor` on all rows of `manifest`, whatever their split.

    Raises:
        ManifestError: it has a class that the network does not know and cannot do without.
    """
    _classes(predictor, manifest)  # a class too many is told before hours of predicting
    said = predictor.answer(manifest.all_rows(), progress)
    predictions = beside_truth(predictor, manifest, Said(said.probabilities, said.embeddings))
    scores = judging_of(task, predictor.recipe, predictor.target).scores(predictions)
    return Evaluation(len(manifest), scores, per_class_table(predictions), predictions)


def beside_truth(predictor: Predictor, manifest: Manifest, said: Said) -> Predictions:
    """Return what `predictor` said of all rows of `manifest` beside what is true of them.

    Raises:
        ManifestError: it has a class that the network does not know and cannot do without.
    """
    kind, classes = predictor.target, _classes(predictor, manifest)
    return Predictions(
        classes=classes,
        keys=manifest.rows["key"].to_numpy(dtype=np.str_),
        groups=manifest.group_numbers(),
        targets=encode_labels(kind, manifest.rows["label"].tolist(), classes),
        probabilities=over_classes(said.probabilities, predictor.classes, classes),
        kind=kind,
        embeddings=said.embeddings,
        thresholds=predictor.thresholds,
        decisions=predictor.decisions,
        facts=manifest.facts(np.arange(len(manifest))),
    )


def _classes(predictor: Predictor, manifest: Manifest) -> tuple[str, ...]:
    """Return the classes of the network, and behind them those of strangers."""
    code = CODES[predictor.target]
    names = {name for label in set(manifest.rows["label"]) for name in code.names(label)}
    unknown = sorted(names - set(predictor.classes))
    if unknown and not code.strangers:
        raise ManifestError(
            f"{str(manifest.root)!r} has class(es) {unknown} that the run does not know; it knows "
            f"{list(predictor.classes)}"
        )
    return (*predictor.classes, *unknown)
