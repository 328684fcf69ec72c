"""ONE RUN, top to bottom: from a plan to a scored network in the run store."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.finetuning.devices import Compute, choose_compute, loader_workers
from transfer.finetuning.feature_store import FeatureStore
from transfer.finetuning.features import FeatureCache
from transfer.finetuning.finetuner import Ending, EpochLog
from transfer.finetuning.strategies import Lesson, learn
from transfer.logbook import Logbook, flat
from transfer.network.backbone import Network, build_network
from transfer.network.objective import OBJECTIVES
from transfer.network.pretrained import FindModel, load_weights
from transfer.network.state import load_backbone
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures, memory_for_pixels
from transfer.pixels.views import TrainingViews
from transfer.plan import Plan
from transfer.plugin.task import read_row
from transfer.progress import Progress
from transfer.samples.predictions import Predictions
from transfer.samples.seen_files import cache_folder
from transfer.samples.target import encode_labels
from transfer.scoring.intervals import score_with_intervals
from transfer.scoring.metrics import point_scores, scorer_for
from transfer.scoring.predict import predict_rows
from transfer.shipping.model_files import ModelCard, write_model
from transfer.tracking.tracker import Status, Tracker

_STATUS: dict[Ending, Status] = {
    Ending.COMPLETED: "FINISHED",
    Ending.STALE: "FINISHED",
    Ending.INTERRUPTED: "KILLED",
    Ending.DIVERGED: "FAILED",
}


@dataclass(frozen=True)
class RunResult:
    """What one run found.

    Attributes:
        run_id: of the run in its store.
        name: what people call it.
        status: FINISHED, KILLED (interrupted) or FAILED (diverged); the best weights were kept.
        ended: how training ended, in words.
        digest: names the rows with their labels, groups and splits.
        epoch: whose weights were kept; 0 is the probe.
        val: scores of the rows that selected, with `_low` and `_high` where there is an interval.
        test: scores of the rows that were looked at once, now; empty unless FINISHED.
        said: what was said row by row, by split.
    """

    run_id: str
    name: str
    status: Status
    ended: str
    digest: str
    epoch: int
    val: Mapping[str, float]
    test: Mapping[str, float]
    said: Mapping[str, Predictions] = field(default_factory=dict, repr=False, compare=False)


def run(
    plan: Plan, tracker: Tracker, progress: Progress, find_model: FindModel, *, log_pictures: bool
) -> RunResult:
    """Carry out `plan`: build the network, teach it, judge it, keep it.

    Args:
        plan: task, recipe and rows.
        tracker: keeps the record.
        progress: told of everything that takes time.
        find_model: run -> folder of its model, for weights that come from a run.
        log_pictures: pictures of the data may go into the record.

    Raises:
        TransferError: a setting, a file or the training gave out; the message says what to do.
        KeyboardInterrupt: before there were weights worth keeping.
    """
    recipe = plan.settled.recipe
    compute = choose_compute(recipe.machine)
    network, weights = _build(plan, find_model, progress)
    network.to(compute.device)
    rows = _Rows(plan, compute, progress)
    logbook = Logbook(plan, tracker, log_pictures=log_pictures)
    progress.say(f"computing  {compute.describe()}")
    with closing(tracker):
        logbook.open({"transfer.weights": weights, "transfer.compute": compute.describe()})
        logbook.views(rows.pictures, rows.views, plan.manifest.numbers("train"))
        learned = learn(
            network, rows.lesson(), recipe, compute, progress, _hear(logbook, plan, progress)
        )
        logbook.curves(learned.epoch)

        status = _STATUS[learned.ended.ending]
        said = {"val": rows.predictions("val", learned.val.probabilities)}
        if status == "FINISHED":  # what is only half trained does not get to see the test rows
            said |= rows.predict_held_out(network, frozen=learned.epoch == 0)
        scores = {
            split: score_with_intervals(predictions, rows.scorer)
            for split, predictions in said.items()
        }
        for split, predictions in said.items():
            logbook.scores(split, predictions, scores[split])
        if "test" in said:
            logbook.mistakes(rows.pictures, plan.manifest.numbers("test"), said["test"])
        logbook.predictions(said)
        tracker.keep_model(partial(write_model, network=network, card=_card(plan, network)))
        run_id = tracker.finish(status)
    return RunResult(
        run_id=run_id,
        name=plan.name,
        status=status,
        ended=": ".join(filter(None, (learned.ended.ending, learned.ended.where))),
        digest=plan.manifest.digest(),
        epoch=learned.epoch,
        val=flat(scores["val"]),
        test=flat(scores.get("test", {})),
        said=said,
    )


class _Rows:
    """The rows of a plan as the network reads them and as they are judged."""

    def __init__(self, plan: Plan, compute: Compute, progress: Progress) -> None:
        recipe, task, manifest = plan.settled.recipe, plan.task, plan.manifest
        self._plan, self._compute, self._progress = plan, compute, progress
        self._groups = manifest.group_numbers()
        self._targets = encode_labels(
            manifest.target, manifest.rows["label"].tolist(), manifest.classes
        )
        self.scorer = scorer_for(manifest.target, task.scores)
        self.views = TrainingViews(task.augment(recipe.size, recipe.task), recipe.seed)
        self.pictures = Pictures(
            manifest.all_rows(),
            task.reader(recipe.task),
            size=recipe.size,
            framing=recipe.framing,
            memory_bytes=memory_for_pixels(recipe.machine.cache_gb),
        )
        self._features = _feature_cache(plan, self.pictures, progress)
        self._batches = Batches(
            self.pictures,
            self._targets,
            self.views,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            workers=loader_workers(recipe.machine, compute),
            threads=compute.threads,
        )

    def lesson(self) -> Lesson:
        """Return what there is to learn from, and how it is judged on val."""
        manifest = self._plan.manifest
        return Lesson(
            batches=self._batches,
            features=self._features,
            train=manifest.numbers("train"),
            val=manifest.numbers("val"),
            targets=self._targets,
            objective=OBJECTIVES[manifest.target],
            predict=self._predict,
            score=lambda said: point_scores(self.predictions("val", said), self.scorer),
            headline=self._plan.task.headline,
        )

    def predictions(self, split: str, probabilities: NDArray[np.float32]) -> Predictions:
        """Return probabilities (n, K) of the rows of `split` beside what is true of them."""
        manifest, numbers = self._plan.manifest, self._plan.manifest.numbers(split)
        return Predictions(
            classes=manifest.classes,
            keys=manifest.rows["key"].to_numpy(dtype=np.str_)[numbers],
            groups=self._groups[numbers],
            targets=self._targets[numbers],
            probabilities=probabilities,
        )

    def predict_held_out(self, network: Network, *, frozen: bool) -> dict[str, Predictions]:
        """Return what `network` says on calibration and test, by split.

        Features of a `frozen` backbone are taken from where they are kept: other splits and other
        heads have use for them as well.
        """
        numbers = {name: self._plan.manifest.numbers(name) for name in ("calibration", "test")}
        predict = self._predict_frozen if frozen else self._predict
        return {
            split: self.predictions(split, predict(network, rows, f"scoring {split}"))
            for split, rows in numbers.items()
            if len(rows)
        }

    def _predict(
        self, network: Network, numbers: NDArray[np.int64], what: str = "scoring val"
    ) -> NDArray[np.float32]:
        probabilities = OBJECTIVES[self._plan.manifest.target].probabilities
        with self._progress.step(what, len(numbers), "images") as step:
            batches = self._batches.plain(numbers)
            return predict_rows(network, batches, probabilities, self._compute.device, step.advance)

    @torch.inference_mode()
    def _predict_frozen(
        self, network: Network, numbers: NDArray[np.int64], what: str
    ) -> NDArray[np.float32]:
        probabilities = OBJECTIVES[self._plan.manifest.target].probabilities
        with self._progress.step(what, len(numbers), "images") as step:
            features = self._features.scored(network, numbers, self._batches.plain, self._compute)
            step.advance(len(numbers))
        logits = network.head(self._compute.move(features)).float()
        said: NDArray[np.float32] = probabilities(logits).cpu().numpy()
        return said


def _feature_cache(plan: Plan, pictures: Pictures, progress: Progress) -> FeatureCache:
    recipe, limit = plan.settled.recipe, int(plan.settled.recipe.machine.features_gb * 1e9)
    return FeatureCache(
        rows=pictures.rows,
        pixels=plan.manifest.rows["pixels"].tolist(),
        view=f"{recipe.size} px {recipe.framing}",
        passes=f"{plan.task.name} {recipe.task!r} seed {recipe.seed}",
        store=FeatureStore(cache_folder(), limit, progress.warn) if limit else None,
    )


def _build(plan: Plan, find_model: FindModel, progress: Progress) -> tuple[Network, str]:
    """Return the network a run starts from, and where its weights came from."""
    recipe = plan.settled.recipe
    torch.manual_seed(recipe.seed)
    weights = load_weights(recipe.backbone, recipe.weights, find_model)
    network = build_network(recipe.backbone, len(plan.manifest.classes), weights.normalization)
    if weights.state is not None:
        unmatched = load_backbone(network, weights.state, weights.source)
        if unmatched:
            progress.warn(f"{len(unmatched)} tensor(s) stay random: {'; '.join(unmatched[:5])}")
    return network, weights.source


def _card(plan: Plan, network: Network) -> ModelCard:
    recipe = plan.settled.recipe
    return ModelCard(
        task=plan.task.name,
        target=plan.manifest.target.value,
        classes=plan.manifest.classes,
        backbone=network.name,
        mean=network.normalization.mean,
        std=network.normalization.std,
        own_reader=plan.task.read_image is not read_row,
        recipe=recipe.model_dump(mode="json"),
    )


def _hear(logbook: Logbook, plan: Plan, progress: Progress) -> Callable[[EpochLog], None]:
    """Return what listens to epochs: it keeps and shows each of them."""
    began, headline, epochs = time.perf_counter(), plan.task.headline, plan.settled.recipe.epochs

    def hear(log: EpochLog) -> None:
        logbook.epoch(log)
        what = f"epoch {log.epoch}/{epochs}" if log.epoch else "probe"
        score = f"val {headline} {log.scores[headline]:.4f}{'  best' if log.improved else ''}"
        spent = time.perf_counter() - began
        left = f"  {spent / log.epoch * (epochs - log.epoch):,.0f} s left" if log.epoch else ""
        speed = f"{log.rows_per_second:,.0f} images/s" if log.rows_per_second else "features kept"
        progress.say(f"{what:<10} loss {log.loss:.3f}  {score}  {speed}{left}")

    return hear


@contextmanager
def closing(tracker: Tracker) -> Iterator[None]:
    """Close the run as what it was if it ends before its time."""
    try:
        yield
    except KeyboardInterrupt:
        tracker.finish("KILLED")
        raise
    except BaseException:
        tracker.finish("FAILED")
        raise
