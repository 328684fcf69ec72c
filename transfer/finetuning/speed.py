"""How fast a backbone is on this machine, without reading any picture."""

import statistics
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
    machine = MachineSettings.model_validate({"precision": precision})
    compute = choose_compute(machine)
    network = build_network(name, _CLASSES).to(compute.device).eval()
    pixels = _pixels(batch_size, size, compute)

    def infer() -> None:
        with torch.inference_mode(), compute.autocast():
            network(pixels)

    inference = batch_size * _rate(infer, compute)
    return Speed(inference, measure_training(name, size, batch_size, machine))


def measure_training(name: str, size: int, batch_size: int, machine: MachineSettings) -> float:
    """Return pictures a second of training steps with all weights, without reading any.

    Raises:
        RecipeError: timm has no such model, or it gives no pooled features.
        AssertionError, RuntimeError: it does not take pictures of that size.
    """
    compute = choose_compute(machine)
    network = build_network(name, _CLASSES).to(compute.device)
    train_from(network, 0, BatchStatistics.UPDATED)
    pixels = _pixels(batch_size, size, compute)
    targets = compute.move(torch.arange(batch_size) % _CLASSES)
    settings = TrainingSettings()
    loss = make_loss(TargetKind.SINGLE_LABEL, settings, [1] * _CLASSES)
    optimizer = build_optimizer(network, 1e-3, settings)

    def train() -> None:
        with compute.autocast():
            logits = network(pixels)
        optimizer.zero_grad(set_to_none=True)
        loss(logits.float(), targets).backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()

    return batch_size * _rate(train, compute)


def measure_latency(name: str, size: int, batch_size: int, machine: MachineSettings) -> float:
    """Return how many seconds the timm model `name` takes for one batch, in fp32, as predict does.

    It is the median of the passes of a second, or of the one that takes longer.

    Raises:
        RecipeError: timm has no such model, or it gives no pooled features.
        AssertionError, RuntimeError: it does not take pictures of that size.
    """
    compute = choose_compute(machine)
    network = build_network(name, _CLASSES).to(compute.device).eval()
    pixels = _pixels(batch_size, size, compute)

    def infer() -> None:
        with torch.inference_mode():
            network(pixels)

    return statistics.median(_times(infer, compute))


def _pixels(batch_size: int, size: int, compute: Compute) -> torch.Tensor:
    """Return random pixels (B, 3, S, S) uint8, laid out as those of a run."""
    drawn = torch.randint(0, 256, (batch_size, 3, size, size), dtype=torch.uint8)
    return compute.move(drawn.contiguous(memory_format=torch.channels_last))


def _rate(step: Callable[[], None], compute: Compute) -> float:
    """Return how often a second `step` is done."""
    times = _times(step, compute)
    return len(times) / sum(times)


def _times(step: Callable[[], None], compute: Compute) -> list[float]:
    """Return how many seconds `step` took, each time of a second; one before does not count."""
    step()
    _finish(compute)
    times: list[float] = []
    while sum(times) < _SECONDS:
        began = time.perf_counter()
        step()
        _finish(compute)
        times.append(time.perf_counter() - began)
    return times


def _finish(compute: Compute) -> None:
    if compute.device.type == "cuda":  # a GPU goes on after the call returns
        torch.cuda.synchronize()
