"""Which learning rate? A short trial on a copy, with a rate that rises until the loss explodes."""

import copy
import itertools
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn
from torch.optim import Optimizer

from transfer.errors import TrainingError
from transfer.finetuning.devices import Compute
from transfer.finetuning.joint import add_up
from transfer.finetuning.schedule import set_learning_rate
from transfer.network.backbone import Network
from transfer.pixels.batches import Batch

_LOWEST, _HIGHEST = 1e-6, 10.0  # seven decades: from no effect to explosion for any optimizer
_FEWEST_STEPS, _MOST_STEPS = 35, 100  # five a decade at least, else the curve cannot be read
_SMALLEST, _LARGEST = 1e-5, 1.0  # beyond these a suggestion is an accident
_MEMORY = 0.8  # of the running loss that tells an explosion from an unlucky batch
_EXPLODED = 4.0  # times the best; as fastai stops
_SMOOTHED_OVER = 0.25  # decades of the rate; standard deviation of the smoothing


@dataclass(frozen=True)
class Trial:
    """What the finder learns from, and how.

    Attributes:
        batches: epoch 1, 2, ... -> its batches; give it batches of its own.
        steps: how many batches an epoch has.
        loss: logits (B, ...) float32, targets -> loss, a scalar or per row.
        build_optimizer: the optimizer that training will use, over the trainable weights.
        clip_norm: longest gradient of a step, as in training; 0 does not clip.
    """

    batches: Callable[[int], Iterator[Batch]]
    steps: int
    loss: Callable[[Tensor, Tensor], Tensor]
    build_optimizer: Callable[[Network], Optimizer]
    clip_norm: float


@dataclass(frozen=True)
class FoundRate:
    """What the trial came to.

    Attributes:
        rates: (n,) float64, of each step, rising.
        losses: (n,) float64, smoothed; the last ones may have exploded.
        suggestion: the peak rate to train with.
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float


def find_learning_rate(network: Network, trial: Trial, compute: Compute) -> FoundRate:
    """Return the learning rate at which a copy of `network` learns fast and safely.

    The rate rises exponentially from step to step (Smith 2017, doi:10.1109/WACV.2017.58) over at
    most 100 steps or an epoch, but 35 where an epoch is shorter. A tenth of the rate with the
    lowest loss is suggested (Howard & Gugger 2020, doi:10.3390/info11020108): the point of
    steepest fall is the other custom, but behind a probe the loss has little left to fall, and the
    steepest point of a flat curve is noise.

    Pictures are not mixed in the trial, and every batch is a step of its own.

    `network` and every random state are afterwards as they were, bit for bit.

    Args:
        network: as training will find it: what is frozen, and which statistics move.
        trial: batches, loss and optimizer.
        compute: device, training precision, and processes, which try together.

    Raises:
        TrainingError: the loss is no number from the first step on.
    """
    steps = max(_FEWEST_STEPS, min(_MOST_STEPS, trial.steps))
    rates = np.geomspace(_LOWEST, _HIGHEST, steps)
    with _random_states_kept():
        losses = np.array(list(_rising_losses(copy.deepcopy(network), trial, compute, rates)))
    if not len(losses):
        raise TrainingError(
            "no learning rate can be found: the loss is no number at the first step; "
            "the weights or the pictures are broken"
        )
    sigma = _SMOOTHED_OVER * (steps - 1) / math.log10(_HIGHEST / _LOWEST)
    smooth = gaussian_filter1d(losses, sigma, mode="nearest")
    lowest = float(rates[int(smooth.argmin())])
    suggestion = min(max(lowest / 10, _SMALLEST), _LARGEST)
    return FoundRate(rates[: len(losses)], smooth, suggestion)


def _rising_losses(
    network: Network, trial: Trial, compute: Compute, rates: NDArray[np.float64]
) -> Iterator[float]:
    """Train `network` with one of `rates` a step; yield the losses until they explode."""
    optimizer = trial.build_optimizer(network)
    batches = itertools.chain.from_iterable(map(trial.batches, itertools.count(1)))
    running, lowest = 0.0, math.inf
    for number, (rate, batch) in enumerate(zip(rates, batches, strict=False), start=1):
        optimizer.zero_grad(set_to_none=True)
        value = _backward(network, trial, compute, batch)
        if not math.isfinite(value):
            return
        yield value
        running = _MEMORY * running + (1 - _MEMORY) * value
        unbiased = running / (1 - _MEMORY**number)
        lowest = min(lowest, unbiased)
        if unbiased > _EXPLODED * lowest:
            return
        set_learning_rate(optimizer, float(rate))
        if trial.clip_norm:
            nn.utils.clip_grad_norm_(network.parameters(), trial.clip_norm)
        optimizer.step()


def _backward(network: Network, trial: Trial, compute: Compute, batch: Batch) -> float:
    """Give `network` the gradient of a batch; return its loss, that of all processes."""
    share = len(batch.targets) / compute.processes.total(len(batch.targets))
    with compute.autocast():
        logits = network(compute.move(batch.pixels))
    loss = trial.loss(logits.float(), compute.move(batch.targets)).mean() * share
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return add_up(network, float(loss.detach()), compute.processes)


@contextmanager
def _random_states_kept() -> Iterator[None]:
    """Put the random states of torch (every card), numpy and Python back at the end."""
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002  # the global one
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002  # the global one
        random.setstate(of_python)
