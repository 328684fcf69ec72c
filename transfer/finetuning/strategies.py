"""The ways of transferring: which stages a run goes through, and what each hands to the next."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.errors import TrainingError
from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.devices import Compute
from transfer.finetuning.finetuner import Ended, Ending, EpochLog, Training, finetune
from transfer.finetuning.probe import extract_features, fit_linear_head
from transfer.finetuning.stopping import Best, Validation
from transfer.network.backbone import Network
from transfer.network.freezing import freeze_backbone
from transfer.network.objective import Loss, Objective
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
        train: row numbers to learn from.
        val: row numbers that select.
        targets: class numbers of all rows, (N,).
        objective: what a head's outputs mean.
        loss: what training lowers.
        predict: (network, row numbers) -> probabilities (n, K), by the scoring path.
        score: probabilities of the val rows (n, K) -> scores by name.
        headline: which score picks the best weights.
    """

    batches: Batches
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    targets: NDArray[np.int64]
    objective: Objective
    loss: Loss
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
            loss=lesson.loss,
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
    rows, began = len(lesson.train) + len(lesson.val), time.perf_counter()
    with progress.step("features", rows, "images") as step:
        train, val = (
            extract_features(
                network, _counted(lesson.batches.plain(numbers), step), compute, fitted_on=fitted_on
            )
            for numbers, fitted_on in ((lesson.train, True), (lesson.val, False))
        )
    speed = rows / (time.perf_counter() - began)
    if not bool(torch.isfinite(train).all() and torch.isfinite(val).all()):
        raise TrainingError(
            "the frozen backbone gives features that are no numbers; its weights are broken"
        )
    head = fit_linear_head(
        (train, lesson.targets[lesson.train]),
        (val, lesson.targets[lesson.val]),
        network.head.out_features,
        recipe.probe,
    )
    head.place(network.head)
    with torch.inference_mode():
        logits = network.head(compute.move(val))
        probabilities = lesson.objective.probabilities(logits).cpu().numpy()
    validation = _validation(probabilities, lesson)
    improved = best.offer(network, validation, epoch=0)
    return EpochLog(0, head.train_loss, 0.0, speed, validation.scores, improved)


def _counted(batches: Iterable[Batch], step: Step) -> Iterator[Batch]:
    for batch in batches:
        yield batch
        step.advance(len(batch.numbers))


def _validation(probabilities: NDArray[np.float32], lesson: Lesson) -> Validation:
    return Validation(probabilities, lesson.score(probabilities))
