"""The ways of transferring: which stages a run goes through, and what each hands to the next."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.errors import TrainingError
from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.devices import Compute
from transfer.finetuning.features import FeatureCache, Read
from transfer.finetuning.finetuner import Ended, Ending, EpochLog, Training, finetune
from transfer.finetuning.probe import Labelled, cross_entropy, fit_linear_head
from transfer.finetuning.stopping import Best, Validation
from transfer.network.backbone import Network
from transfer.network.freezing import freeze_backbone
from transfer.network.objective import Objective
from transfer.pixels.batches import Batch, Batches
from transfer.pixels.views import epoch_order
from transfer.progress import Progress, Step
from transfer.recipe import Recipe, Strategy

_ADAPTED_ON = 4096  # rows; the statistics of more would not differ


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, and how it is judged.

    Attributes:
        batches: reads rows by number.
        features: of rows, by frozen backbones; those that are kept are not computed again.
        train: row numbers to learn from.
        val: row numbers that select.
        targets: class numbers of all rows, (N,).
        objective: loss and probabilities for the kind of target.
        predict: (network, row numbers) -> probabilities (n, K), by the scoring path.
        score: probabilities of the val rows (n, K) -> scores by name.
        headline: which score picks the best weights.
    """

    batches: Batches
    features: FeatureCache
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    targets: NDArray[np.int64]
    objective: Objective
    predict: Callable[[Network, NDArray[np.int64]], NDArray[np.float32]]
    score: Callable[[NDArray[np.float32]], dict[str, float]]
    headline: str


@dataclass(frozen=True)
class Learned:
    """What came of it; the network itself holds the best weights.

    Attributes:
        ended: how training ended.
        epoch: whose weights were kept; 0 is the probe.
        val: what they said on the val rows.
    """

    ended: Ended
    epoch: int
    val: Validation


def learn(
    network: Network,
    lesson: Lesson,
    recipe: Recipe,
    compute: Compute,
    progress: Progress,
    on_epoch: Callable[[EpochLog], None],
) -> Learned:
    """Teach `network`, in place, by the recipe's strategy; it ends with the best weights.

    Raises:
        TrainingError: the loss became no number before there were weights worth keeping.
    """
    best, ended = Best(lesson.headline, recipe.training.patience), Ended(Ending.COMPLETED)
    if recipe.strategy is Strategy.LP_FT:
        _adapt(network, lesson, recipe, compute, progress)
    if recipe.strategy in {Strategy.PROBE, Strategy.LP_FT}:
        on_epoch(_probe(network, lesson, recipe, compute, best, progress))
    if recipe.strategy is not Strategy.PROBE:
        training = Training(
            batches=lambda epoch: lesson.batches.training(lesson.train, epoch),
            rows=len(lesson.train),
            steps=lesson.batches.steps(len(lesson.train)),
            loss=lesson.objective.loss,
            validate=lambda net: _validation(lesson.predict(net, lesson.val), lesson),
            on_epoch=on_epoch,
        )
        ended = finetune(network, training, recipe, compute, best, progress)
    return Learned(ended, best.epoch, best.restore(network))


def _adapt(
    network: Network, lesson: Lesson, recipe: Recipe, compute: Compute, progress: Progress
) -> None:
    """Give the backbone the batch statistics of the training rows, as training will."""
    rows = epoch_order(lesson.train, recipe.seed, 0)[:_ADAPTED_ON]
    with progress.step("adapting", len(rows), "images") as step:
        batches = _counted(lesson.batches.plain(rows), step)
        adapt_statistics(network, batches, compute)


def _probe(
    network: Network,
    lesson: Lesson,
    recipe: Recipe,
    compute: Compute,
    best: Best,
    progress: Progress,
) -> EpochLog:
    """Give `network` the best linear head on frozen features, and offer it as candidate zero."""
    freeze_backbone(network)
    train, val, speed = _features(network, lesson, recipe, compute, progress)
    head = fit_linear_head(train, val, cross_entropy(network.head.out_features), recipe.probe)
    head.place(network.head)
    with torch.inference_mode():
        logits = network.head(compute.move(val.features))
        probabilities = lesson.objective.probabilities(logits).cpu().numpy()
    validation = _validation(probabilities, lesson)
    improved = best.offer(network, validation, epoch=0)
    return EpochLog(0, head.train_loss, 0.0, speed, validation.scores, improved)


def _features(
    network: Network, lesson: Lesson, recipe: Recipe, compute: Compute, progress: Progress
) -> tuple[Labelled, Labelled, float]:
    """Return what a head is fitted on, what chooses it, and rows read per second; 0 where none was.

    Raises:
        TrainingError: the backbone gives no numbers.
    """
    cache, batches, views = lesson.features, lesson.batches, range(1, recipe.probe.views + 1)
    rows, began = len(lesson.train) * (1 + len(views)) + len(lesson.val), time.perf_counter()
    with progress.step("features", rows, "images") as step:
        seen = _Seen(step)
        passes = [cache.fitted_on(network, lesson.train, seen.by(batches.plain), compute)]
        for epoch in views:
            read = seen.by(partial(batches.training, epoch=epoch))
            passes.append(cache.fitted_on(network, lesson.train, read, compute, epoch))
        val = cache.scored(network, lesson.val, seen.by(batches.plain), compute)
    speed = seen.rows / (time.perf_counter() - began)
    train = torch.cat(passes) if views else passes[0]  # of a single one nothing is copied
    if not bool(torch.isfinite(train).all() and torch.isfinite(val).all()):
        raise TrainingError(
            "the frozen backbone gives features that are no numbers; its weights are broken"
        )
    targets = torch.from_numpy(lesson.targets)
    of_train = targets[lesson.train].repeat(1 + len(views), *[1] * (targets.ndim - 1))
    return Labelled(train, of_train), Labelled(val, targets[lesson.val]), speed


class _Seen:
    """Counts the rows that were read."""

    def __init__(self, step: Step) -> None:
        self.rows, self._step = 0, step

    def by(self, read: Read) -> Read:
        """Return `read`, counted."""

        def counted(numbers: NDArray[np.int64]) -> Iterator[Batch]:
            for batch in _counted(read(numbers), self._step):
                yield batch
                self.rows += len(batch.numbers)

        return counted


def _counted(batches: Iterable[Batch], step: Step) -> Iterator[Batch]:
    for batch in batches:
        yield batch
        step.advance(len(batch.numbers))


def _validation(probabilities: NDArray[np.float32], lesson: Lesson) -> Validation:
    return Validation(probabilities, lesson.score(probabilities))
