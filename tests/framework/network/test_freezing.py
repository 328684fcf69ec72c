import pytest
import torch
from torch import Tensor

from transfer.network.backbone import Network, build_network
from transfer.network.freezing import (
    BatchStatistics,
    freeze_backbone,
    statistics_for,
    train_all,
)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    network = build_network("test_resnet", 3)
    torch.nn.init.normal_(network.head.weight)
    for module in network.modules():
        if hasattr(module, "running_mean"):  # timm starts some at 0, and no gradient gets past them
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


def moved_by_a_step(network: Network) -> set[str]:
    """Train `network` for one step as it is; return the names of all tensors that changed a bit."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    pixels = torch.randint(0, 256, (8, 3, 64, 64), dtype=torch.uint8)
    optimizer = torch.optim.SGD([w for w in network.parameters() if w.requires_grad], lr=0.1)
    targets = torch.arange(8) % 3
    torch.nn.functional.cross_entropy(network(pixels), targets).backward()
    optimizer.step()
    return {name for name, tensor in network.state_dict().items() if differs(tensor, before[name])}


def differs(left: Tensor, right: Tensor) -> bool:
    return left.numpy().tobytes() != right.numpy().tobytes()


def statistics(network: Network) -> set[str]:
    return {name for name in network.state_dict() if "running_" in name or "num_batches" in name}


def weights(network: Network) -> set[str]:
    return {name for name, _ in network.named_parameters()}


def test_a_frozen_backbone_keeps_every_weight_and_every_statistic_to_the_bit(
    network: Network,
) -> None:
    freeze_backbone(network)
    assert moved_by_a_step(network) == {"head.weight", "head.bias"}


def test_a_frozen_backbone_gathers_no_gradients(network: Network) -> None:
    freeze_backbone(network)
    moved_by_a_step(network)
    assert all(weight.grad is None for weight in network.backbone.parameters())


def test_training_all_moves_every_weight_and_every_statistic(network: Network) -> None:
    train_all(network, BatchStatistics.UPDATED)
    assert moved_by_a_step(network) == set(network.state_dict())


def test_frozen_statistics_stay_while_every_weight_moves(network: Network) -> None:
    train_all(network, BatchStatistics.FROZEN)
    assert moved_by_a_step(network) == weights(network)
    assert statistics(network)


def test_training_all_undoes_freezing(network: Network) -> None:
    freeze_backbone(network)
    train_all(network, BatchStatistics.UPDATED)
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())


def test_frozen_statistics_hold_only_batch_norm_back(network: Network) -> None:
    train_all(network.eval(), BatchStatistics.FROZEN)
    resting = {type(module).__name__ for module in network.modules() if not module.training}
    assert len(resting) == 1
    assert "BatchNorm" in resting.pop()


@pytest.mark.parametrize(
    ("wish", "rows", "expected"),
    [
        ("auto", 15, BatchStatistics.FROZEN),
        ("auto", 16, BatchStatistics.UPDATED),
        ("frozen", 64, BatchStatistics.FROZEN),
        ("updated", 2, BatchStatistics.UPDATED),
    ],
)
def test_small_batches_freeze_statistics_unless_told_otherwise(
    wish: str, rows: int, expected: BatchStatistics
) -> None:
    assert statistics_for(wish, rows) is expected
