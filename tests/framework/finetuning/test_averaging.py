import io
from collections.abc import Callable

import pytest
import torch

from transfer.finetuning.averaging import WeightAverage
from transfer.network.backbone import Network
from transfer.network.freezing import BatchStatistics, freeze_backbone, train_from

Build = Callable[..., Network]
STEPS = 6


def move(network: Network, number: int) -> None:
    """Do to the trainable weights and moving statistics what a step does: change them."""
    draw = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.requires_grad:
                weight.add_(torch.randn(weight.shape, generator=draw), alpha=0.1)
    network(torch.rand(4, 3, 32, 32, generator=draw))


def bits(network: Network) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_the_average_is_that_of_all_weights_with_a_decay_that_warms_up(
    build: Build, decay: float
) -> None:
    network = build()
    train_from(network, 0, BatchStatistics.UPDATED)
    average = WeightAverage(network, decay)
    expected = {name: tensor.double() for name, tensor in network.state_dict().items()}
    for number in range(1, STEPS + 1):
        move(network, number)
        average.update(network)
        kept = min(decay, 1 - number**-0.75)
        for name, tensor in network.state_dict().items():
            expected[name] = kept * expected[name] + (1 - kept) * tensor.double()
    for name, tensor in average.network.state_dict().items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor.double(), expected[name], rtol=1e-4, atol=1e-5), name
        else:
            assert torch.equal(tensor, network.state_dict()[name]), name
    assert not torch.equal(average.network.head.weight, network.head.weight)


def test_a_short_run_is_not_stuck_at_its_start(build: Build) -> None:
    network = build()
    start = network.head.weight.detach().clone()
    average = WeightAverage(network, 0.9999)
    for number in range(STEPS):
        with torch.no_grad():
            network.head.weight.add_(1.0)
        average.update(network)
        assert (average.network.head.weight >= start + 1).all(), number


def test_the_average_is_judged_in_eval_mode_and_does_not_train(build: Build) -> None:
    network = build().train()
    average = WeightAverage(network, 0.9)
    average.update(network)
    assert not any(module.training for module in average.network.modules())
    assert not any(weight.requires_grad for weight in average.network.parameters())
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())


def test_what_is_frozen_stays_bit_identical(build: Build) -> None:
    network = build()
    with torch.no_grad():
        for tensor in network.backbone.state_dict().values():
            tensor[(0,) * tensor.ndim] = -0.0  # which an average would make 0.0
    freeze_backbone(network)
    average = WeightAverage(network, 0.9)
    before = bits(average.network)
    for number in range(STEPS):
        move(network, number)
        average.update(network)
    after = bits(average.network)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"head.weight", "head.bias"}


def test_an_average_goes_on_bit_for_bit_from_its_saved_state(build: Build) -> None:
    network = build()
    train_from(network, 0, BatchStatistics.UPDATED)
    average = WeightAverage(network, 0.9)
    for number in range(3):
        move(network, number)
        average.update(network)
    file = io.BytesIO()
    torch.save((network.state_dict(), average.state_dict()), file)

    def finish(network: Network, average: WeightAverage) -> dict[str, bytes]:
        for number in range(3, STEPS):
            move(network, number)
            average.update(network)
        return bits(average.network)

    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    again = build(seed=1)
    train_from(again, 0, BatchStatistics.UPDATED)
    restored = WeightAverage(again, 0.9)
    again.load_state_dict(weights)
    restored.load_state_dict(state)
    assert finish(again, restored) == finish(network, average)


def test_a_saved_state_does_not_move_with_the_average(build: Build) -> None:
    network = build()
    average = WeightAverage(network, 0.9)
    state = average.state_dict()
    before = state["weights"]["head.weight"].clone()
    move(network, 0)
    average.update(network)
    assert torch.equal(state["weights"]["head.weight"], before)
    assert state["updates"] == 0
