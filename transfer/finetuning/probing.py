"""The probe of a run: frozen features, the best head on them, candidate zero."""

import time
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.errors import TrainingError
from transfer.finetuning.features import Read
from transfer.finetuning.lesson import Host, Lesson
from transfer.finetuning.probe import Labelled, fit_head
from transfer.finetuning.stopping import Best
from transfer.finetuning.training import EpochLog
from transfer.network.backbone import Network
from transfer.network.freezing import freeze_backbone
from transfer.pixels.batches import Batch
from transfer.progress import Step
from transfer.recipe import Recipe
from transfer.samples.predictions import Said
from transfer.settings import ProbeSettings


def probe(
    network: Network, lesson: Lesson, recipe: Recipe, host: Host, best: Best, *, goes_on: bool
) -> EpochLog:
    """Offer `network` with the best head on frozen features as candidate zero.

    Args:
        network: its head is changed in place.
        lesson: what it learns from.
        recipe: of the run.
        host: where it runs.
        best: the best weights so far.
        goes_on: training follows, and the network ends with the head that it starts from.

    Raises:
        TrainingError: the backbone gives no numbers.
    """
    freeze_backbone(network)
    train, val, speed = _features(network, lesson, recipe, host)
    network.eval()  # no dropout

    def fit_one(settings: ProbeSettings) -> float:
        return fit_head(network.head, train, val, lesson.loss.balanced, settings)

    def fit() -> tuple[float, Said]:
        loss = fit_one(recipe.probe)
        with torch.inference_mode():
            logits = network.head(host.compute.move(val.features))
            probabilities = lesson.objective.probabilities(logits).cpu().numpy()
        embeddings = val.features.numpy() if lesson.by_embeddings else None
        return loss, Said(probabilities, embeddings)

    processes = host.compute.processes
    loss, said = processes.first(fit)  # which alone has the features
    processes.align([*network.head.state_dict().values()])
    validation = lesson.validation(said)
    improved = best.offer(network, validation, epoch=0)
    if goes_on:
        start = recipe.probe.model_copy(update={"l2": (recipe.probe.start_l2,)})
        processes.first(lambda: fit_one(start))
        processes.align([*network.head.state_dict().values()])
    return EpochLog(0, loss, 0.0, speed, validation.scores, improved)


def counted(batches: Iterable[Batch], step: Step) -> Iterator[Batch]:
    """Yield `batches`, and advance `step` by the rows of each."""
    for batch in batches:
        yield batch
        step.advance(len(batch.numbers))


def _features(
    network: Network, lesson: Lesson, recipe: Recipe, host: Host
) -> tuple[Labelled, Labelled, float]:
    """Return what a head is fitted on, what chooses it, and rows read per second; 0 where none was.

    Raises:
        TrainingError: the backbone gives no numbers.
    """
    cache, batches, views = lesson.features, lesson.batches, range(1, recipe.probe.views + 1)
    processes, began = host.compute.processes, time.perf_counter()
    rows = (len(lesson.train) * (1 + len(views)) + len(lesson.val)) // processes.share.size
    with host.progress.step("features", rows, "images") as step:
        seen = _Seen(step)
        passes = [cache.fitted_on(network, lesson.train, seen.by(batches.plain), host.compute)]
        for epoch in views:
            read = seen.by(partial(batches.training, epoch=epoch))
            passes.append(cache.fitted_on(network, lesson.train, read, host.compute, epoch))
        val = cache.scored(network, lesson.val, seen.by(batches.plain), host.compute)
    speed = processes.total(seen.rows) / (time.perf_counter() - began)
    train = torch.cat(passes) if views else passes[0]  # of a single one nothing is copied
    if not bool(torch.isfinite(train).all() and torch.isfinite(val).all()):
        raise TrainingError(
            "the frozen backbone gives features that are no numbers; its weights are broken"
        )
    targets = torch.from_numpy(lesson.targets)
    of_train = targets[lesson.train].repeat(1 + len(views), *[1] * (targets.ndim - 1))
    weights = _weights(of_train) if recipe.training.balance == "sampler" else None
    return Labelled(train, of_train, weights), Labelled(val, targets[lesson.val]), speed


def _weights(targets: torch.Tensor) -> torch.Tensor:
    """Return what rows of class numbers (N,) count for where classes are drawn alike: (N,)."""
    counts = targets.bincount().clamp(min=1)
    return (1 / counts)[targets]


class _Seen:
    """Counts the rows that were read."""

    def __init__(self, step: Step) -> None:
        self.rows, self._step = 0, step

    def by(self, read: Read) -> Read:
        """Return `read`, counted."""

        def reading(numbers: NDArray[np.int64]) -> Iterator[Batch]:
            for batch in counted(read(numbers), self._step):
                yield batch
                self.rows += len(batch.numbers)

        return reading
