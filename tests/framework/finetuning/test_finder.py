import copy
import random
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transfer.errors import TrainingError
from transfer.finetuning.devices import Compute
from transfer.finetuning.finder import Trial, find_learning_rate
from transfer.finetuning.schedule import build_optimizer
from transfer.network.backbone import Network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.pixels.batches import Batch, Batches
from transfer.settings import TrainingSettings

ROWS = np.arange(48)


def trial_of(batches: Batches, **changes: object) -> Trial:
    def epoch(number: int) -> Iterator[Batch]:
        torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002, S311  # as a loader may
        return batches.training(ROWS, number)

    settings = TrainingSettings(optimizer="sgd")
    values: dict[str, object] = {
        "batches": epoch,
        "steps": batches.steps(len(ROWS)),
        "loss": F.cross_entropy,
        "build_optimizer": lambda net: build_optimizer(net, 1e-3, settings),
        "clip_norm": 1.0,
    }
    return Trial(**(values | changes))  # type: ignore[arg-type]


def test_weights_statistics_optimizer_and_random_states_are_as_they_were(
    build: Callable[..., Network], batches: Batches, compute: Compute
) -> None:
    network = build()
    train_from(network, 0, BatchStatistics.UPDATED)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.rand(4, 3, 32, 32)).sum().backward()
    optimizer.step()
    everything = (network.state_dict(), optimizer.state_dict())
    before = copy.deepcopy(everything)
    gradients = [copy.deepcopy(weight.grad) for weight in network.parameters()]
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002

    found = find_learning_rate(network, trial_of(batches), compute)

    assert len(found.rates) > 1
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == python_state
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])  # noqa: NPY002
    assert all(torch.equal(tensor, before[0][name]) for name, tensor in everything[0].items())
    moments = optimizer.state_dict()["state"]
    assert all(torch.equal(moments[i][key], before[1]["state"][i][key])
               for i in moments for key in moments[i])  # fmt: skip
    pairs = zip(network.parameters(), gradients, strict=True)
    assert all(torch.equal(cast("Tensor", weight.grad), grad) for weight, grad in pairs)
    assert all(module.training for module in network.modules())


def test_the_same_network_and_batches_find_the_same_rate(
    build: Callable[..., Network], batches: Batches, compute: Compute
) -> None:
    network = build().train()
    first, second = (find_learning_rate(network, trial_of(batches), compute) for _ in range(2))
    assert np.array_equal(first.losses, second.losses)
    assert first.suggestion == second.suggestion


class Valley(nn.Module):
    """One weight w; its loss (w - 1)^2 has curvature 2 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.weight.expand(len(pixels), 1)


def valley_trial(steps: int, seen: list[int] | None = None, **changes: object) -> Trial:
    def epoch(number: int) -> Iterator[Batch]:
        for _ in range(steps):
            if seen is not None:
                seen.append(number)
            yield Batch(torch.zeros(2, 3, 1, 1), torch.ones(2), torch.arange(2))

    values: dict[str, object] = {
        "batches": epoch,
        "steps": steps,
        "loss": lambda logits, targets: (logits[:, 0] - targets).square(),  # a loss per row
        "build_optimizer": lambda net: torch.optim.SGD(net.parameters(), lr=1.0),
        "clip_norm": 0.0,
    }
    return Trial(**(values | changes))  # type: ignore[arg-type]


def test_the_curve_is_that_of_gradient_descent_with_a_rising_rate(compute: Compute) -> None:
    found = find_learning_rate(cast("Network", Valley()), valley_trial(100), compute)
    weight, losses = 0.0, []
    for rate in 10 ** np.linspace(-6, 1, 100):
        losses.append((weight - 1) ** 2)
        weight -= rate * 2 * (weight - 1)
    # Each is the mean of its neighbours, weighted by their distance in steps.
    count = len(found.losses)
    assert count < 100  # it exploded: (w - 1) grows where the rate is above 1
    sigma = 0.25 * 99 / 7
    for place in range(10, count - 20):
        near = np.arange(place - 14, place + 15)
        share = np.exp(-((near - place) ** 2) / (2 * sigma**2))
        clamped = np.clip(near, 0, count - 1)
        expected = (share * np.array(losses)[clamped]).sum() / share.sum()
        assert found.losses[place] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found.suggestion == pytest.approx(found.rates[found.losses.argmin()] / 10)
    # Descent is stable below 2 / curvature = 1: fast and safe is well below, not far below.
    assert 0.01 < found.suggestion < 0.5


@pytest.mark.parametrize(("steps", "tried"), [(3, 35), (35, 35), (60, 60), (400, 100)])
def test_the_trial_is_an_epoch_long_within_reason(steps: int, tried: int, compute: Compute) -> None:
    seen: list[int] = []
    flat = valley_trial(steps, seen, loss=lambda logits, _: logits[:, 0] * 0 + 1)
    found = find_learning_rate(cast("Network", Valley()), flat, compute)
    assert len(found.rates) == len(found.losses) == len(seen) == tried
    assert seen == [number // steps + 1 for number in range(tried)]  # epochs follow each other
    assert (np.diff(found.rates) > 0).all()


def test_a_suggestion_stays_within_what_is_sane(compute: Compute) -> None:
    flat = valley_trial(50, loss=lambda logits, _: logits[:, 0] * 0 + 1)
    assert find_learning_rate(cast("Network", Valley()), flat, compute).suggestion == 1e-5


def test_a_loss_that_is_no_number_ends_the_trial(compute: Compute) -> None:
    broken = valley_trial(50, loss=lambda logits, _: logits[:, 0] * float("nan"))
    with pytest.raises(TrainingError, match="no number at the first step"):
        find_learning_rate(cast("Network", Valley()), broken, compute)


def test_the_trial_clips_as_training_does(compute: Compute) -> None:
    # A gradient of length 1e-9 at most: the weight cannot leave its place.
    found = find_learning_rate(cast("Network", Valley()), valley_trial(50, clip_norm=1e-9), compute)
    assert found.losses == pytest.approx(np.ones(50), abs=1e-5)


def test_the_trial_computes_in_the_training_precision(
    build: Callable[..., Network], batches: Batches, compute: Compute
) -> None:
    bf16 = Compute(torch.device("cpu"), "bf16", 1, "a test")
    first, second = (
        find_learning_rate(build().train(), trial_of(batches), each) for each in (compute, bf16)
    )
    # The head starts at zero: the first steps are alike but for the rounding of the features.
    shared = min(len(first.losses), len(second.losses), 10)
    assert not np.array_equal(first.losses[:shared], second.losses[:shared])
    assert np.allclose(first.losses[:shared], second.losses[:shared], rtol=0.05)
