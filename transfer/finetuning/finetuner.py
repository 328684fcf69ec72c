"""The epoch loop that every domain and every strategy shares."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor, nn

from transfer.errors import TrainingError
from transfer.finetuning.devices import Compute
from transfer.finetuning.schedule import build_optimizer, learning_rate, set_learning_rate
from transfer.finetuning.stopping import Best, Validation
from transfer.network.backbone import Network
from transfer.network.freezing import statistics_for, train_all
from transfer.pixels.batches import Batch
from transfer.progress import Progress, Step
from transfer.recipe import Recipe


class Ending(StrEnum):
    """Why training ended."""

    COMPLETED = "completed"
    STALE = "stopped early"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Ended:
    """How training ended and, if it was before its time, where."""

    ending: Ending
    where: str = ""


@dataclass(frozen=True)
class EpochLog:
    """What one pass over the training rows did.

    Attributes:
        epoch: 1..epochs; 0 is the probe.
        loss: mean training loss.
        lr: learning rate of the head in the last step; 0 for the probe.
        rows_per_second: read and computed on, scoring left out; 0 where all features were kept.
        scores: on val, by name.
        improved: the best so far.
    """

    epoch: int
    loss: float
    lr: float
    rows_per_second: float
    scores: dict[str, float]
    improved: bool


@dataclass(frozen=True)
class Training:
    """What the loop needs besides a network; each is given by the stage that owns it.

    Attributes:
        batches: epoch -> training batches.
        rows: how many rows an epoch has.
        steps: how many batches an epoch has.
        loss: logits (B, K), targets (B,), label smoothing -> scalar.
        validate: network -> what it says on val; leaves it in eval mode.
        on_epoch: hears of each epoch.
    """

    batches: Callable[[int], Iterator[Batch]]
    rows: int
    steps: int
    loss: Callable[[Tensor, Tensor, float], Tensor]
    validate: Callable[[Network], Validation]
    on_epoch: Callable[[EpochLog], None]


def finetune(
    network: Network,
    training: Training,
    recipe: Recipe,
    compute: Compute,
    best: Best,
    progress: Progress,
) -> Ended:
    """Train all of `network` in place, offering each epoch's weights to `best`.

    Ctrl-C and a loss that is no number end the training and not the run, as soon as there are
    weights worth keeping.

    Raises:
        KeyboardInterrupt, TrainingError: before there were any.
    """
    loop = _Loop(network, training, recipe, compute)
    epoch = 0
    try:
        for epoch in range(1, recipe.epochs + 1):
            with progress.step(f"epoch {epoch}/{recipe.epochs}", training.rows, "images") as step:
                loss, seconds = loop.run_epoch(epoch, step)
            validation = training.validate(network)
            improved = best.offer(network, validation, epoch)
            speed = training.rows / seconds
            log = EpochLog(epoch, loss, loop.head_lr, speed, validation.scores, improved)
            training.on_epoch(log)
            if best.is_stale(epoch):
                return Ended(Ending.STALE, f"no better epoch since epoch {best.epoch}")
    except KeyboardInterrupt:
        if best.validation is None:
            raise
        return Ended(Ending.INTERRUPTED, f"in epoch {epoch} of {recipe.epochs}")
    except TrainingError as error:
        if best.validation is None:
            raise
        return Ended(Ending.DIVERGED, str(error))
    return Ended(Ending.COMPLETED)


class _Loop:
    """The optimizer and the position in the learning-rate curve of one training."""

    def __init__(
        self, network: Network, training: Training, recipe: Recipe, compute: Compute
    ) -> None:
        self._network, self._training, self._compute = network, training, compute
        self._settings, self._peak = recipe.training, recipe.peak_lr
        self._steps = recipe.epochs * training.steps
        rows_per_step = training.rows // training.steps
        self._statistics = statistics_for(recipe.training.batch_statistics, rows_per_step)
        train_all(network, self._statistics)  # an optimizer takes only weights that train by now
        self._optimizer = build_optimizer(network, recipe.peak_lr, recipe.training)

    @property
    def head_lr(self) -> float:
        """Learning rate of the head in the last step."""
        return float(self._optimizer.param_groups[-1]["lr"])

    def run_epoch(self, epoch: int, progress: Step) -> tuple[float, float]:
        """Go through the training rows once; return mean loss and seconds."""
        train_all(self._network, self._statistics)
        total, began = 0.0, time.perf_counter()
        for number, batch in enumerate(self._training.batches(epoch)):
            done = (epoch - 1) * self._training.steps + number
            rate = learning_rate(done, self._steps, self._peak, self._settings.warmup)
            set_learning_rate(self._optimizer, rate)
            loss = self._step(batch)
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in epoch {epoch}, step {number + 1} of "
                    f"{self._training.steps}; take a smaller --lr than {self._peak:g}"
                )
            total += loss * len(batch.targets)
            progress.advance(len(batch.targets), note=f"loss {loss:.3f}")
        return total / self._training.rows, time.perf_counter() - began

    def _step(self, batch: Batch) -> float:
        """Take one step and return its loss; a loss that is no number moves nothing."""
        targets = self._compute.move(batch.targets)
        with self._compute.autocast():
            logits = self._network(self._compute.move(batch.pixels))
        loss = self._training.loss(logits.float(), targets, self._settings.label_smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        value = float(loss.detach())
        if math.isfinite(value):
            if self._settings.clip_norm:
                nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.clip_norm)
            self._optimizer.step()
        return value
