"""What a run writes down about itself, and under which names."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.drawing import png
from transfer.figures import (
    average_precisions,
    confusion_matrix,
    learning_curves,
    picture_grid,
    reliability_diagram,
)
from transfer.finetuning.ending import Ended, Ending
from transfer.finetuning.training import EpochLog
from transfer.images.colours import colour_places
from transfer.images.pictures import Pixels
from transfer.pixels.cache import Pictures
from transfer.pixels.views import TrainingViews
from transfer.plan import Plan
from transfer.recipe import as_text
from transfer.run_card import Scores, run_card
from transfer.samples.manifest import SPLITS
from transfer.samples.predictions import Predictions
from transfer.samples.split import split_counts
from transfer.samples.target import decode_targets
from transfer.scoring.intervals import Score, per_class_table
from transfer.scoring.metrics import SCORECARDS, confusion, guesses, mistakes, reliability
from transfer.tracking.environment import environment_tags
from transfer.tracking.tracker import (
    AUDIT_TAG,
    GROUPS_TAG,
    HEADLINE_TAG,
    NOTE_TAG,
    STOPPED_TAG,
    TARGET_TAG,
    TEST_TAG,
    THROUGHPUT,
    DataInput,
    RunDescription,
    Tracker,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT_TABLE = "data/split.parquet"
_SHOWN_ROWS, _SHOWN_VIEWS, _SHOWN_MISTAKES = 4, 7, 24


class Logbook:
    """One run's record: tells the tracker what happened, in names that compare between runs.

    Metrics: `train/loss`, `train/lr`, `train/images_per_second` and `epoch/SCORE` (on val), a step
    an epoch, 0 being the probe; `val/SCORE` and `test/SCORE` of the kept weights, each with `_low`
    and `_high`. Artifacts: `recipe.json`, `data/`, `scores/`, `decisions/`, `predictions.parquet`,
    `figures/`.
    """

    def __init__(self, plan: Plan, tracker: Tracker, *, log_pictures: bool) -> None:
        """Keep a record of `plan` with `tracker`; without `log_pictures` no picture is in it."""
        self._plan, self._tracker, self._log_pictures = plan, tracker, log_pictures
        self._epochs: list[EpochLog] = []
        self._colours = colour_places(plan.settled.recipe.bands)

    def open(self, tags: Mapping[str, str], record: str | None = None) -> str:
        """Start the run with its settings and data, and `tags` beside ours; return its id.

        With `record`, the id of one that goes on, what it has already is not said again.
        """
        plan, recipe = self._plan, self._plan.settled.recipe
        own = {
            "transfer.task": plan.task.name,
            HEADLINE_TAG: plan.headline,
            TARGET_TAG: plan.manifest.target.value,
            "transfer.data_digest": plan.manifest.digest(),
            AUDIT_TAG: plan.audit,
        }
        if plan.groups_digest:
            own[GROUPS_TAG] = plan.groups_digest
        if len(plan.manifest.numbers("test")):
            own[TEST_TAG] = plan.manifest.digest("test")
        params = {name: as_text(value) for name, value in recipe.dotted().items()}
        run_id = self._tracker.start(
            RunDescription(
                plan.task.name,
                plan.name,
                params,
                {**environment_tags(), **own, **tags},
                parent=plan.parent,
            ),
            record,
        )
        self._tracker.read(self._inputs())
        self._keep_json("recipe.json", recipe.model_dump(mode="json"))
        self._keep_table(SPLIT_TABLE, plan.manifest.rows[["key", "split"]])
        self._keep_table("data/counts.csv", split_counts(plan.manifest).reset_index())
        if plan.leaks:
            self._keep_table("data/leaks.csv", self._leaks())
        if plan.broken and self._log_pictures:
            self._keep_table("data/left_out.csv", pd.DataFrame(plan.broken))
        return run_id

    def epoch(self, log: EpochLog) -> None:
        """Record one pass over the training rows."""
        self._epochs.append(log)
        # MLflow's pages compare runs by the number that each said first.
        headline_first = sorted(log.scores, key=lambda name: name != self._plan.headline)
        numbers = {f"epoch/{name}": log.scores[name] for name in headline_first}
        numbers["train/loss"] = log.loss
        if log.rows_per_second:
            numbers[THROUGHPUT] = log.rows_per_second
        if log.epoch:
            numbers["train/lr"] = log.lr
        self._tracker.log(numbers, step=log.epoch)

    def decision(self, name: str, value: float) -> None:
        """Record a setting that was found by trial."""
        self._tracker.tag({f"transfer.found_{name}": repr(value)})

    def curves(self, kept_epoch: int, ended: Ended) -> None:
        """Draw how training went; of one that was stopped, record why."""
        if ended.ending is Ending.STOPPED:
            self._tracker.tag({STOPPED_TAG: ended.where})
        headline = self._plan.headline
        rows = [
            {"epoch": log.epoch, "loss": log.loss, "lr": log.lr, headline: log.scores[headline]}
            for log in self._epochs
        ]
        self._tracker.tag({"transfer.kept_epoch": str(kept_epoch)})
        picture = learning_curves(pd.DataFrame(rows), headline, kept_epoch)
        self._tracker.keep("figures/learning_curves.png", picture)

    def scores(
        self, split: str, predictions: Predictions, scores: Mapping[str, Score], epoch: int = 0
    ) -> None:
        """Record what the kept weights, those of `epoch`, reach on a split."""
        self.score_table(split, scores, epoch)
        of_classes = per_class_table(predictions)
        self._keep_table(f"scores/{split}_per_class.csv", of_classes)
        card = SCORECARDS[predictions.kind]
        if card.confusable:
            matrix = confusion_matrix(confusion(predictions), predictions.classes)
            self._tracker.keep(f"figures/{split}_confusion.png", matrix)
        if "ap" in card.families:
            self._tracker.keep(f"figures/{split}_labels.png", average_precisions(of_classes))
        if "ece" in scores:
            diagram = reliability_diagram(reliability(predictions), scores["ece"].value)
            self._tracker.keep(f"figures/{split}_reliability.png", diagram)

    def score_table(self, split: str, scores: Mapping[str, Score], epoch: int = 0) -> None:
        """Record scores with their notes, and nothing of the rows that they are of."""
        self._tracker.log(flat(scores, f"{split}/"), step=epoch)
        table = pd.DataFrame([{"score": name, **score._asdict()} for name, score in scores.items()])
        self._keep_table(f"scores/{split}.csv", table)

    def card(self, scores: Scores, *, ended: str, epoch: int | None = None) -> None:
        """Keep the card of the run, where MLflow's pages show it; see `run_card`."""
        text = run_card(self._plan, scores, ended=ended, epoch=epoch)
        self._tracker.tag({NOTE_TAG: text})
        self._tracker.keep("card.md", text.encode())

    def drawings(self, split: str, figures: Mapping[str, "Figure"]) -> None:
        """Keep what the domain drew of a split."""
        for name, figure in figures.items():
            self._tracker.keep(f"figures/{split}_{name}.png", png(figure))

    def table(self, path: str, table: pd.DataFrame) -> None:
        """Keep a table as .parquet or .csv."""
        self._keep_table(path, table)

    def decisions(self, said: Predictions) -> None:
        """Keep what was decided, if so: from which probability on a label is said, and the like."""
        if (thresholds := said.thresholds) is not None:
            table = pd.DataFrame({"label": said.classes, "threshold": asdict(thresholds)["values"]})
            self._keep_decided("thresholds", table, thresholds.fitted_on)
        if (decisions := said.decisions) is not None:
            table = pd.DataFrame(decisions.by_name.items(), columns=["decision", "value"])
            self._keep_decided("decisions", table, decisions.fitted_on)

    def predictions(self, of_split: Mapping[str, Predictions]) -> None:
        """Keep every probability, row by row: key, split, label, and `p_CLASS` for each class.

        The thresholds, where there are any, are the same in all splits and kept beside them.
        """
        self.decisions(next(iter(of_split.values())))
        tables = [_prediction_table(split, said) for split, said in of_split.items()]
        self._keep_table("predictions.parquet", pd.concat(tables, ignore_index=True))

    def views(self, pictures: Pictures, views: TrainingViews, numbers: NDArray[np.int64]) -> None:
        """Draw rows as scoring sees them, each with some of its training views beside it."""
        if not self._log_pictures:
            return
        shown: list[Pixels] = []
        captions: list[str] = []
        for number in numbers[:: max(1, len(numbers) // _SHOWN_ROWS)][:_SHOWN_ROWS].tolist():
            row = pictures.rows[number]
            shown += [pictures[number]]
            captions += [row.label]
            shown += [views(pictures[number], row, epoch, number) for epoch in range(_SHOWN_VIEWS)]
            captions += [f"view {epoch + 1}" for epoch in range(_SHOWN_VIEWS)]
        grid = picture_grid(
            shown,
            captions,
            "rows as scoring sees them, and as training does",
            columns=_SHOWN_VIEWS + 1,
            colours=self._colours,
        )
        self._tracker.keep("figures/views.png", grid)

    def mistakes(self, pictures: Pictures, numbers: NDArray[np.int64], said: Predictions) -> None:
        """Draw the rows that the network was surest about and wrong."""
        wrong, sure = mistakes(said)
        if not self._log_pictures or not len(wrong):
            return
        worst = wrong[:_SHOWN_MISTAKES]
        true, guessed = (
            decode_targets(said.kind, targets[worst], said.classes)
            for targets in (said.targets, guesses(said))
        )
        captions = [
            f"{label or 'none'}\nsaid {guess or 'none'} {probability:.2f}"
            for label, guess, probability in zip(true, guessed, sure, strict=False)
        ]
        shown = [pictures[numbers[i]] for i in worst]
        title = f"the surest of {len(wrong)} mistakes among {len(said)} test rows"
        grid = picture_grid(shown, captions, title, colours=self._colours)
        self._tracker.keep("figures/test_mistakes.png", grid)

    def _inputs(self) -> list[DataInput]:
        manifest = self._plan.manifest
        data = self._plan.data.absolute()  # a run that goes on may do so from another folder
        return [
            DataInput(
                name=data.name,
                context=split,
                digest=manifest.digest(split),
                source=str(data),
                rows=len(manifest.numbers(split)),
                classes=len(manifest.classes),
            )
            for split in SPLITS
            if len(manifest.numbers(split))
        ]

    def _leaks(self) -> pd.DataFrame:
        """Return a line for each row of a leak; its name only where pictures may be kept."""
        lines = [
            {"leak": number, "tie": leak.tie, "split": split, "key": key, "image": image}
            for number, leak in enumerate(self._plan.leaks, start=1)
            for split, key, image in leak.rows
        ]
        table = pd.DataFrame(lines)
        return table if self._log_pictures else table.drop(columns="image")

    def _keep_decided(self, name: str, table: pd.DataFrame, fitted_on: str) -> None:
        self._tracker.tag({f"transfer.{name}": f"fitted on {fitted_on}"})
        self._keep_table(f"decisions/{name}.csv", table.assign(fitted_on=fitted_on))

    def _keep_json(self, path: str, value: object) -> None:
        self._tracker.keep(path, json.dumps(value, indent=1).encode())

    def _keep_table(self, path: str, table: pd.DataFrame) -> None:
        content = io.BytesIO()
        if path.endswith(".parquet"):
            table.to_parquet(content, index=False)
        else:
            table.to_csv(content, index=False)
        self._tracker.keep(path, content.getvalue())


def flat(scores: Mapping[str, Score], prefix: str = "") -> dict[str, float]:
    """Return scores as numbers by name, the ends of an interval as `_low` and `_high`."""
    numbers: dict[str, float] = {}
    for name, score in scores.items():
        numbers[prefix + name] = score.value
        if score.low is not None and score.high is not None:
            numbers[f"{prefix}{name}_low"] = score.low
            numbers[f"{prefix}{name}_high"] = score.high
    return numbers


def _prediction_table(split: str, said: Predictions) -> pd.DataFrame:
    labels = decode_targets(said.kind, said.targets, said.classes)
    columns = {f"p_{name}": said.probabilities[:, k] for k, name in enumerate(said.classes)}
    head = {"key": said.keys, "split": split, "group": said.groups, "label": labels}
    return pd.DataFrame({**head, **columns})
