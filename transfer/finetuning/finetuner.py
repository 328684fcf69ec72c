"""The epoch loop that every domain and every strategy shares."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import NamedTuple, SupportsFloat

from torch import Tensor, nn

from transfer.errors import TrainingError
from transfer.finetuning.averaging import WeightAverage
from transfer.finetuning.checkpoint import (
    Checkpoints,
    State,
    random_states,
    set_random_states,
)
from transfer.finetuning.devices import Compute
from transfer.finetuning.ending import Ended, Ending, Stopped
from transfer.finetuning.interruption import Interruption, Terminated
from transfer.finetuning.joint import add_up
from transfer.finetuning.mixing import mix
from transfer.finetuning.overlap import Feed, LateSum
from transfer.finetuning.schedule import Schedule, build_optimizer, set_learning_rate
from transfer.finetuning.stopping import Best, Validation
from transfer.finetuning.training import EpochLog, Training
from transfer.network.backbone import Network
from transfer.pixels.batches import Batch
from transfer.progress import Progress, Step
from transfer.recipe import Recipe


@dataclass(frozen=True)
class _Position:
    """Where a training stands.

    Attributes:
        epoch: the one under way, 1..epochs; epochs + 1 at the end.
        step: optimizer steps of it that are done.
        loss: sum of the losses of its rows, of the steps whose loss is known.
        seconds: spent on it so far, scoring left out.
    """

    epoch: int = 1
    step: int = 0
    loss: float = 0.0
    seconds: float = 0.0


class _Unread(NamedTuple):
    """The loss of a step that is done.

    Attributes:
        step: its number in the epoch, from 0.
        rows: it went over.
        loss: over those rows; a card may still be busy with it.
    """

    step: int
    rows: int
    loss: SupportsFloat


class Trainer:
    """A network with its optimizer on the way through the epochs; each step can be the last.

    A checkpoint holds all of it: what is continued from there ends with the same bits.
    """

    def __init__(
        self,
        network: Network,
        training: Training,
        recipe: Recipe,
        compute: Compute,
        best: Best,
        checkpoints: Checkpoints,
    ) -> None:
        self._network, self._training, self._recipe = network, training, recipe
        self._compute, self._best, self._checkpoints = compute, best, checkpoints
        self._processes, settings = compute.processes, recipe.training
        self._epochs = recipe.passes(training.rows)
        self._steps = math.ceil(training.batches_per_epoch / settings.accumulate)
        self._schedule = Schedule(settings, recipe.peak_lr, self._epochs * self._steps)
        # One optimizer over all weights that will ever learn: it passes over what has no gradient.
        network.requires_grad_(requires_grad=True)
        self._optimizer = build_optimizer(network, recipe.peak_lr, settings)
        self._average = WeightAverage(network, settings.ema) if settings.ema else None
        self._position, self._logs = _Position(), list[EpochLog]()
        self._feed, self._unread = Feed(compute.device), deque[_Unread]()
        # A card alone gets its next step before the loss of the last one is waited for. Processes
        # wait for each other in every step, and a CPU has nothing to do meanwhile.
        alone = self._processes.share.size == 1
        self._ahead = 1 if alone and compute.device.type == "cuda" else 0
        self._saved = time.monotonic()

    def begin(self, logs: Sequence[EpochLog]) -> None:
        """Write the first checkpoint, after what came before the training: `logs`."""
        self._logs = list(logs)
        self.save()
        for log in logs:
            self._training.on_epoch(log)

    def resume(self, state: State) -> None:
        """Go on where `state` was saved; every epoch so far is told once more."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self._best.load_state_dict(state["best"])
        self._position = _Position(**state["position"])
        self._logs = [EpochLog(**log) for log in state["logs"]]
        set_random_states(state["random"][self._processes.share.rank], self._compute.device)
        for log in self._logs:
            self._training.on_epoch(log)

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            OutputError: the disk is full; the one before stays.
            TrainingError: the last loss is no number.
        """
        self._read_losses()
        state = {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self._average.state_dict() if self._average is not None else None,
            "best": self._best.state_dict(),
            "position": asdict(self._position),
            "logs": [asdict(log) for log in self._logs],
            "random": self._processes.gather(random_states(self._compute.device)),
        }
        # Of two checkpoints after the same step, the one that has its epoch scored is the later.
        step = 2 * self._done + (self._position.step == 0)
        self._processes.first(lambda: self._checkpoints.save(state, step))
        self._saved = time.monotonic()

    def run(self, progress: Progress, interruption: Interruption) -> Ended:
        """Train to the end, offering each epoch's weights to the best ones.

        Ctrl-C, SIGTERM and a loss that is no number end the training and not the run, as soon as
        there are weights worth keeping.

        Raises:
            KeyboardInterrupt, TrainingError: before there were any.
            OutputError: a checkpoint cannot be written.
        """
        try:
            with self._processes.together():
                return self._run(progress, interruption)
        except KeyboardInterrupt as signal:
            with interruption.whole():
                self.save()
            if self._best.validation is None:
                raise
            ending = Ending.TERMINATED if isinstance(signal, Terminated) else Ending.INTERRUPTED
            return Ended(ending, f"in epoch {self._position.epoch} of {self._epochs}")
        except TrainingError as error:
            if self._best.validation is None:
                raise
            return Ended(Ending.DIVERGED, str(error))
        except Stopped as stopped:
            return Ended(Ending.STOPPED, str(stopped))

    def _run(self, progress: Progress, interruption: Interruption) -> Ended:
        while self._position.epoch <= self._epochs:
            if self._best.is_stale(self._position.epoch - 1):
                return Ended(Ending.STALE, f"no better epoch since epoch {self._best.epoch}")
            self._run_epoch(progress, interruption)
            # On machines that are not of a kind, equal steps may round other bits.
            self._processes.align([*self._judged.state_dict().values()])
            validation = self._training.validate(self._judged)
            with interruption.whole():
                self._close_epoch(validation)
        return Ended(Ending.COMPLETED)

    @property
    def _done(self) -> int:
        """How many steps are behind."""
        return (self._position.epoch - 1) * self._steps + self._position.step

    @property
    def _judged(self) -> Network:
        """The network that is scored and kept: the average of the weights where there is one."""
        return self._network if self._average is None else self._average.network

    def _run_epoch(self, progress: Progress, interruption: Interruption) -> None:
        """Go through what is left of the epoch under way."""
        epoch, accumulate = self._position.epoch, self._recipe.training.accumulate
        self._training.prepare(self._network, epoch)
        batches = self._training.batches(epoch, self._position.step * accumulate)
        with progress.step(f"epoch {epoch}/{self._epochs}", self._training.rows, "images") as shown:
            began = time.perf_counter()
            while group := list(islice(batches, accumulate)):
                rows = self._processes.total(sum(len(batch.targets) for batch in group))
                with interruption.whole():
                    self._step(group, int(rows), shown)
                    began = self._count_since(began)
                self._save_in_time()
            self._read_losses()
            self._count_since(began)

    def _count_since(self, began: float) -> float:
        """Add the seconds since `began` to those of the epoch; return what time it is."""
        now = time.perf_counter()
        seconds = self._position.seconds + (now - began)
        self._position = replace(self._position, seconds=seconds)
        return now

    def _close_epoch(self, validation: Validation) -> None:
        """Score the epoch that is through, keep a checkpoint of it, then tell of it."""
        done = self._position
        if not validation.is_finite:
            raise TrainingError(
                f"the network gave no numbers on val after epoch {done.epoch}; "
                f"take a smaller --lr than {self._recipe.peak_lr:g}"
            )
        loss, speed = done.loss / self._training.rows, self._training.rows / done.seconds
        improved = self._best.offer(self._judged, validation, done.epoch)
        self._schedule.hear(self._best.rank(validation))
        lr = float(self._optimizer.param_groups[-1]["lr"])  # of the head, in the last step
        log = EpochLog(done.epoch, loss, lr, speed, validation.scores, improved)
        self._logs.append(log)
        self._position = _Position(epoch=done.epoch + 1)
        self.save()
        self._training.on_epoch(log)

    def _step(self, group: list[Batch], rows: int, shown: Step) -> None:
        """Take one step over `rows` rows, those of `group` among them; no number, no step.

        On a card that is one step late, and ends the training all the same.
        """
        at = self._position
        set_learning_rate(self._optimizer, self._schedule.rate(self._done))
        self._optimizer.zero_grad(set_to_none=True)
        losses = [
            self._backward(batch, (at.epoch, number), rows)
            for number, batch in enumerate(group, at.step * self._recipe.training.accumulate)
        ]
        if self._ahead:
            loss: SupportsFloat = LateSum(losses)
        else:
            loss = add_up(self._network, sum(map(float, losses)), self._processes)
        self._unread.append(_Unread(at.step, rows, loss))
        told = self._read_losses(but=self._ahead)
        if longest := self._recipe.training.clip_norm:
            nn.utils.clip_grad_norm_(self._network.parameters(), longest)
        self._optimizer.step()
        if self._average is not None:
            self._average.update(self._network)
        self._position = replace(self._position, step=at.step + 1)
        shown.advance(rows, note=told)

    def _read_losses(self, but: int = 0) -> str:
        """Add the losses of all steps but the last `but` to that of the epoch; say the last one.

        Raises:
            TrainingError: one is no number.
        """
        told = ""
        while len(self._unread) > but:
            step, rows, late = self._unread.popleft()
            at, loss = self._position, float(late)
            told = f"loss {loss:.3f}"
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} in epoch {at.epoch}, step {step + 1} of "
                    f"{self._steps}; take a smaller --lr than {self._recipe.peak_lr:g}"
                )
            self._position = replace(at, loss=at.loss + loss * rows)
        return told

    def _backward(self, batch: Batch, place: tuple[int, int], rows: int) -> Tensor:
        """Add the gradient of a batch that is a part of `rows`; return its part of the loss."""
        pixels, targets = self._feed(batch.pixels), self._feed(batch.targets)
        mixed = mix(pixels, self._recipe.training, (self._recipe.seed, *place))
        with self._compute.autocast():
            logits = self._network(mixed.pixels).float()
        done = self._done / (self._epochs * self._steps)
        loss = mixed.loss(lambda these: self._training.loss(logits, these, done), targets)
        loss = loss * (len(batch.targets) / rows)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss.detach()

    def _save_in_time(self) -> None:
        minutes = self._recipe.machine.checkpoint_minutes
        if minutes and self._processes.total(time.monotonic() - self._saved > 60 * minutes):
            self.save()
