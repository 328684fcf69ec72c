from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.network.backbone import Network, build_network
from transfer.network.folding import fold

PIXELS = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)


def trained(network: Network) -> Network:
    """Give every batch norm factors, offsets and statistics that are not those of a new one."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network.eval()


def network_of(name: str) -> Network:
    torch.manual_seed(0)
    return trained(build_network(name, classes=3))


def small_vgg() -> Network:
    network = network_of("test_resnet")
    norm = {"norm_layer": nn.BatchNorm2d}
    network.backbone = timm.models.VGG([8, "M", 16, "M"], num_classes=0, **norm)
    return trained(network)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in network.modules())


@torch.inference_mode()
def relative_error(network: Network, folded: Network) -> float:
    expected = network.embed(PIXELS)
    return float((folded.embed(PIXELS) - expected).norm() / expected.norm())


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("test_resnet", 0),
        ("resnet18", 0),
        ("resnet50", 0),
        ("seresnet50", 0),
        ("efficientnet_b0", 0),
        ("densenet121", 62),  # norms before a convolution stay
        ("convnext_atto", 0),  # it has none
    ],
)
def test_features_are_those_of_the_network_but_for_rounding(name: str, left: int) -> None:
    network = network_of(name)
    before = norms(network)
    folded = fold(network, torch.float32)
    assert (norms(network), norms(folded)) == (before, left)
    assert relative_error(network, folded) < 1e-5


def test_of_a_network_that_asks_for_numbers_the_rest_is_folded() -> None:
    network = small_vgg()  # the layer behind its convolutions asks for the size of the picture
    folded = fold(network, torch.float32)
    assert (norms(network), norms(folded)) == (2, 0)
    assert relative_error(network, folded) < 1e-5


def test_the_network_itself_stays_as_it_is() -> None:
    network = network_of("test_resnet")
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    fold(network, torch.bfloat16)
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("name", ["test_resnet", "convnext_atto"])
def test_weights_in_bf16_give_the_bits_that_autocast_gives(name: str) -> None:
    network = network_of(name)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = fold(network, torch.float32).embed(PIXELS)
        assert torch.equal(fold(network, torch.bfloat16).embed(PIXELS), expected)


class Block(nn.Module):
    """A stage of a backbone, by a forward of its own."""

    def __init__(self, forward: Callable[["Block", Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.other, self._forward = nn.Conv2d(3, 3, 3, padding=1, bias=False), forward

    def forward(self, x: Tensor) -> Tensor:
        return self._forward(self, x)


def backbone_of(block: Block) -> Network:
    torch.manual_seed(0)
    network = build_network("test_resnet", classes=3)
    network.backbone = nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return trained(network)


def something_between(block: Block, x: Tensor) -> Tensor:
    return block.norm(torch.relu(block.conv(x)))


def two_users(block: Block, x: Tensor) -> Tensor:
    found = block.conv(x)
    return block.norm(found) + found


def the_convolution_twice(block: Block, x: Tensor) -> Tensor:
    return block.conv(block.norm(block.conv(x)))


def the_norm_twice(block: Block, x: Tensor) -> Tensor:
    return block.norm(block.other(block.norm(block.conv(x))))


def a_look_at_numbers(block: Block, x: Tensor) -> Tensor:
    return block.norm(block.conv(x)) if x.mean() > 0 else block.conv(x)


@pytest.mark.parametrize(
    "forward",
    [something_between, two_users, the_convolution_twice, the_norm_twice, a_look_at_numbers],
)
def test_what_is_no_plain_pair_stays(forward: Callable[[Block, Tensor], Tensor]) -> None:
    network = backbone_of(Block(forward))
    folded = fold(network, torch.float32)
    assert norms(folded) == 1
    assert relative_error(network, folded) < 1e-6


def test_a_convolution_that_changes_its_own_weight_stays() -> None:
    block = Block(lambda self, x: self.norm(self.conv(x)))
    block.conv = timm.layers.ScaledStdConv2d(3, 3, 3, padding=1)
    network = backbone_of(block)
    folded = fold(network, torch.float32)
    assert norms(folded) == 1
    assert relative_error(network, folded) < 1e-6


def test_a_backbone_that_cannot_be_read_stays_as_it_is() -> None:
    network = network_of("test_resnet")
    network.backbone = Block(a_look_at_numbers)
    assert norms(fold(network.eval(), torch.float32)) == 1
