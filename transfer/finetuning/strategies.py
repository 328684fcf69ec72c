"""The ways of transferring: which stages a run goes through, and what each hands to the next."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer.errors import TrainingError
from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute
from transfer.finetuning.features import FeatureCache, Read
from transfer.finetuning.finetuner import Ended, Ending, EpochLog, Trainer, Training
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.probe import Labelled, cross_entropy, fit_linear_head
from transfer.finetuning.stopping import Best, Validation
from transfer.network.backbone import Network
from transfer.network.freezing import stage_number, statistics_for, train_from
from transfer.network.objective import Objective
from transfer.network.stages import stages
from transfer.pixels.batches import Batch, Batches
from transfer.pixels.views import epoch_order
from transfer.progress import Progress, Step
from transfer.recipe import Recipe, Strategy

_ADAPTED_ON = 4096  # rows; the statistics of more would not differ


class Way(NamedTuple):
    """What a strategy does, in this order.

    Attributes:
        adapts: takes the batch statistics of the new pictures first.
        probes: fits the best linear head on frozen features; it is candidate zero.
        trains: (epoch, epochs, stages, the first stage above what `frozen_to` names) -> number of
            the first stage that learns; None where nothing but the head does.
    """

    adapts: bool
    probes: bool
    trains: Callable[[int, int, int, int], int] | None


def _all(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # a Way's form
    return 0


def _above(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # a Way's form
    return above


def _from_the_head(epoch: int, epochs: int, count: int, above: int) -> int:  # noqa: ARG001  # see above
    """Unfreeze one stage after the other in the first half of the epochs, the deepest first.

    Howard and Ruder 2018 (ULMFiT, arXiv:1801.06146) let one more learn each epoch; here as many a
    time as it takes to have all of them learn through the second half.
    """
    opened = 1 + (epoch - 1) * count * 2 // max(1, epochs)
    return max(0, count - opened)


WAYS = {
    Strategy.PROBE: Way(adapts=False, probes=True, trains=None),
    Strategy.LP_FT: Way(adapts=True, probes=True, trains=_all),
    Strategy.FINETUNE: Way(adapts=False, probes=False, trains=_all),
    Strategy.GRADUAL: Way(adapts=True, probes=True, trains=_from_the_head),
    Strategy.PARTIAL: Way(adapts=False, probes=True, trains=_above),
    Strategy.SCRATCH: Way(adapts=False, probes=False, trains=_all),
}


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, and how it is judged.

    Attributes:
        batches: reads rows by number.
        features: of rows, by frozen backbones; those that are kept are not computed again.
        train: row numbers to learn from.
        val: row numbers that select.
        targets: of all rows, (N,) class numbers or (N, K).
        objective: head and probabilities for the kind of target.
        loss: logits, targets, share of the training that is over -> mean loss, a scalar.
        predict: (network, row numbers) -> what it says on them, by the scoring path.
        score: what was said on the val rows -> scores by name.
        headline: which score picks the best weights.
    """

    batches: Batches
    features: FeatureCache
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    targets: NDArray[np.int64]
    objective: Objective
    loss: Callable[[Tensor, Tensor, float], Tensor]
    predict: Callable[[Network, NDArray[np.int64]], NDArray[np.float32]]
    score: Callable[[NDArray[np.float32]], dict[str, float]]
    headline: str


@dataclass(frozen=True)
class Host:
    """What a run gets from where it runs.

    Attributes:
        compute: device and precision.
        progress: told of everything that takes time.
        on_epoch: hears of each epoch, once it cannot be lost.
        checkpoints: of this run.
        interruption: holds Ctrl-C and SIGTERM back where they would do harm.
        decide: keeps a setting that was found by trial, by its name, so that a run that goes on
            does not try again.
    """

    compute: Compute
    progress: Progress
    on_epoch: Callable[[EpochLog], None]
    checkpoints: Checkpoints
    interruption: Interruption
    decide: Callable[[str, float], None]


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


def learn(network: Network, lesson: Lesson, recipe: Recipe, host: Host) -> Learned:
    """Teach `network`, in place, by the recipe's strategy; it ends with the best weights.

    Where the host has a checkpoint, the training goes on from there.

    Raises:
        TrainingError: the loss became no number before there were weights worth keeping.
        CheckpointError: the checkpoint is damaged.
        OutputError: a checkpoint cannot be written.
    """
    way, best = WAYS[recipe.strategy], Best(lesson.headline, recipe.training.patience)
    state, logs = host.checkpoints.load(), list[EpochLog]()
    if state is None and way.adapts:
        _adapt(network, lesson, recipe, host)
    if state is None and way.probes:
        logs.append(_probe(network, lesson, recipe, host, best))
    if way.trains is None:
        for log in logs:
            host.on_epoch(log)
        return Learned(Ended(Ending.COMPLETED), best.epoch, best.restore(network))
    trainer = _trainer(network, lesson, recipe, host, best)
    if state is None:
        trainer.begin(logs)
    else:
        trainer.resume(state)
    ended = trainer.run(host.progress, host.interruption)
    return Learned(ended, best.epoch, best.restore(network))


def _trainer(network: Network, lesson: Lesson, recipe: Recipe, host: Host, best: Best) -> Trainer:
    batches, rows = lesson.batches.steps(len(lesson.train)), len(lesson.train)
    statistics = statistics_for(
        recipe.training.batch_statistics,
        rows // batches,
        from_scratch=recipe.strategy is Strategy.SCRATCH,
    )
    trains = WAYS[recipe.strategy].trains or _all
    count, epochs = len(stages(network.backbone)), recipe.passes(rows)
    last = recipe.training.frozen_to
    above = stage_number(network, last) + 1 if last else -(-count // 2)
    training = Training(
        batches=lambda epoch, first: lesson.batches.training(lesson.train, epoch, first=first),
        rows=rows,
        batches_per_epoch=batches,
        loss=lesson.loss,
        prepare=lambda net, epoch: train_from(
            net, trains(epoch, epochs, count, above), statistics
        ),
        validate=lambda net: _validation(lesson.predict(net, lesson.val), lesson),
        on_epoch=host.on_epoch,
    )
    return Trainer(network, training, recipe, host.compute, best, host.checkpoints)


def _adapt(network: Network, lesson: Lesson, recipe: Recipe, host: Host) -> None:
    """Give the backbone the batch statistics of the training rows, as training will."""
    rows = epoch_order(lesson.train, recipe.seed, 0)[:_ADAPTED_ON]
    with host.progress.step("adapting", len(rows), "images") as step:
        batches = _counted(lesson.batches.plain(rows), step)
        adapt_statistics(network, batches, host.compute)


def _probe(network: Network, lesson: Lesson, recipe: Recipe, host: Host, best: Best) -> EpochLog:
    """Give `network` the best linear head on frozen features, and offer it as candidate zero."""
    train_from(network, len(stages(network.backbone)), BatchStatistics.FROZEN)
    train, val, speed = _features(network, lesson, recipe, host)
    head = fit_linear_head(train, val, cross_entropy(network.head.out_features), recipe.probe)
    head.place(network.head)
    with torch.inference_mode():
        logits = network.head(host.compute.move(val.features))
        probabilities = lesson.objective.probabilities(logits).cpu().numpy()
    validation = _validation(probabilities, lesson)
    improved = best.offer(network, validation, epoch=0)
    return EpochLog(0, head.train_loss, 0.0, speed, validation.scores, improved)


def _features(
    network: Network, lesson: Lesson, recipe: Recipe, host: Host
) -> tuple[Labelled, Labelled, float]:
    """Return what a head is fitted on, what chooses it, and rows read per second; 0 where none was.

    Raises:
        TrainingError: the backbone gives no numbers.
    """
    cache, batches, views = lesson.features, lesson.batches, range(1, recipe.probe.views + 1)
    rows, began = len(lesson.train) * (1 + len(views)) + len(lesson.val), time.perf_counter()
    with host.progress.step("features", rows, "images") as step:
        seen = _Seen(step)
        passes = [cache.fitted_on(network, lesson.train, seen.by(batches.plain), host.compute)]
        for epoch in views:
            read = seen.by(partial(batches.training, epoch=epoch))
            passes.append(cache.fitted_on(network, lesson.train, read, host.compute, epoch))
        val = cache.scored(network, lesson.val, seen.by(batches.plain), host.compute)
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
