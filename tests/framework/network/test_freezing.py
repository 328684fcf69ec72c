import pytest
import torch
from torch import Tensor

from transfer.errors import RecipeError
from transfer.network.backbone import Network, build_network
from transfer.network.freezing import (
    BatchStatistics,
    check_stage,
    freeze_backbone,
    stage_number,
    statistics_for,
    train_from,
)
from transfer.network.stages import stages


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
    # All weights are in it, those that rest as well, and it pulls all that it moves to zero.
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.5)
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
    train_from(network, 0, BatchStatistics.UPDATED)
    assert moved_by_a_step(network) == set(network.state_dict())


def test_frozen_statistics_stay_while_every_weight_moves(network: Network) -> None:
    train_from(network, 0, BatchStatistics.FROZEN)
    assert moved_by_a_step(network) == weights(network)
    assert statistics(network)


def test_training_all_undoes_freezing(network: Network) -> None:
    freeze_backbone(network)
    train_from(network, 0, BatchStatistics.UPDATED)
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(module.training for module in network.modules())


def test_frozen_statistics_hold_only_batch_norm_back(network: Network) -> None:
    train_from(network.eval(), 0, BatchStatistics.FROZEN)
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
    assert statistics_for(wish, rows, from_scratch=False) is expected


def test_from_scratch_there_are_no_statistics_to_keep() -> None:
    assert statistics_for("auto", 2, from_scratch=True) is BatchStatistics.UPDATED
    assert statistics_for("frozen", 2, from_scratch=True) is BatchStatistics.FROZEN


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("statistics_are", list(BatchStatistics))
def test_stages_before_the_first_keep_every_bit_and_the_others_move(
    network: Network, first: int, statistics_are: BatchStatistics
) -> None:
    train_from(network, 0, BatchStatistics.UPDATED)
    moved_by_a_step(network)  # there are old gradients, as there are after an earlier phase
    train_from(network, first, statistics_are)
    places = ("conv1.", "bn1.", *(f"layer{number}." for number in range(1, 5)))
    resting = tuple(f"backbone.{place}" for place in places[: first + 1 if first else 0])
    trained = {n for n in network.state_dict() if not n.startswith(resting or "none")}
    if statistics_are is BatchStatistics.FROZEN:
        trained &= weights(network)
    assert moved_by_a_step(network) == trained


def test_dropout_rests_with_its_stage(network: Network) -> None:
    for stage in ("layer2", "layer3"):
        block = network.backbone.get_submodule(stage)[0]
        block.add_module("a_dropout", torch.nn.Dropout(0.5))
    train_from(network, stage_number(network, "layer3"), BatchStatistics.UPDATED)
    assert not network.backbone.layer2[0].a_dropout.training
    assert network.backbone.layer3[0].a_dropout.training
    assert network.backbone.training  # it is not all at rest


def test_a_stage_has_its_number(network: Network) -> None:
    names = [stage.name for stage in stages(network.backbone)]
    assert [stage_number(network, name) for name in names] == [0, 1, 2, 3, 4]


def test_an_unknown_stage_is_refused_with_those_there_are(network: Network) -> None:
    with pytest.raises(RecipeError, match="no stage 'layer5'; it has stem, layer1, layer2"):
        stage_number(network, "layer5")
    with pytest.raises(RecipeError, match="stage 6: test_resnet has the stages 0 to 4"):
        train_from(network, 6, BatchStatistics.UPDATED)


def test_a_stage_is_checked_by_the_name_of_the_backbone_alone() -> None:
    before = torch.get_rng_state()
    check_stage("test_resnet", "layer3")
    with pytest.raises(RecipeError, match="no stage 'layer9'"):
        check_stage("test_resnet", "layer9")
    assert torch.equal(torch.get_rng_state(), before)
