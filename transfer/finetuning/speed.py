"""How many pictures a second a backbone takes on this machine, without reading any."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from transfer.finetuning.devices import Compute, choose_compute
from transfer.finetuning.schedule import build_optimizer
from transfer.network.backbone import build_network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.network.objective import make_loss
from transfer.samples.target import TargetKind
from transfer.settings import MachineSettings, TrainingSettings

PRECISIONS = ("fp32", "bf16")
_CLASSES, _SECONDS = 10, 1.0


class Speed(NamedTuple):
    """Pictures a second.

    Attributes:
        inference: of the network in eval mode.
        training: of a step with all weights: forward, backward, optimizer.
    """

    inference: float
    training: float


def measure_speed(name: str, size: int, batch_size: int, precision: str) -> Speed:
    """Return the speed of the timm model `name` on random pictures of `size` px.

    Each number takes a second, and the steps before it that prepare kernels and memory.

    Raises:
        RecipeError: timm has no such model, or it gives no pooled features.
        AssertionError, RuntimeError: it does not take pictures of that size.
    """
    compute = choose_compute(MachineSettings.model_validate({"precision": precision}))
    network = build_network(name, _CLASSES).to(compute.device)
    shape = (batch_size, 3, size, size)
    drawn = torch.randint(0, 256, shape, dtype=torch.uint8)
    pixels = compute.move(drawn.contiguous(memory_format=torch.channels_last))
    targets = compute.move(torch.arange(batch_size) % _CLASSES)
    settings = TrainingSettings()
    loss = make_loss(TargetKind.SINGLE_LABEL, settings, [1] * _CLASSES)
    optimizer = build_optimizer(network, 1e-3, settings)

    def infer() -> None:
        with torch.inference_mode(), compute.autocast():
            network(pixels)

    def train() -> None:
        with compute.autocast():
            logits = network(pixels)
        optimizer.zero_grad(set_to_none=True)
        loss(logits.float(), targets).backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()

    network.eval()
    inference = batch_size * _rate(infer, compute)
    train_from(network, 0, BatchStatistics.UPDATED)
    return Speed(inference, batch_size * _rate(train, compute))


def _rate(step: Callable[[], None], compute: Compute) -> float:
    """Return how often a second `step` is done."""
    step()
    _finish(compute)
    began, done, spent = time.perf_counter(), 0, 0.0
    while spent < _SECONDS:
        step()
        _finish(compute)
        done, spent = done + 1, time.perf_counter() - began
    return done / spent


def _finish(compute: Compute) -> None:
    if compute.device.type == "cuda":  # a GPU goes on after the call returns
        torch.cuda.synchronize()
