import numpy as np
import pytest
import torch

from transfer.network.backbone import build_network
from transfer.reporting.attention import attention, overlaid


def test_it_is_the_formula_of_the_paper() -> None:
    torch.manual_seed(0)
    network = build_network("test_resnet", 3).eval()
    torch.nn.init.uniform_(network.head.weight)  # so that every place speaks for every class
    pixels = torch.rand(2, 3, 128, 128)
    found = attention(network, pixels, [2, 0])
    assert found is not None
    # A pooled mean and a linear head: the gradient of a logit is its weight over the places.
    with torch.no_grad():
        maps = network.backbone.forward_features((pixels - network.mean) / network.std)
    for picture, name in enumerate((2, 0)):
        by_hand = torch.einsum(
            "c,chw->hw", network.head.weight[name].detach(), maps[picture]
        ).clamp(min=0)
        by_hand = (by_hand - by_hand.min()) / (by_hand.max() - by_hand.min())
        side = 128 // by_hand.shape[0]
        middles = found[picture][side // 2 :: side, side // 2 :: side]
        assert np.corrcoef(middles.ravel(), by_hand.numpy().ravel())[0, 1] > 0.99
    assert found.min() >= 0
    assert found.max() <= 1
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "resnet20"])
def test_maps_of_any_backbone_have_the_size_of_the_picture(name: str) -> None:
    side = 160 if name == "test_vit" else 32
    found = attention(build_network(name, 3), torch.rand(1, 3, side, side), [1])
    assert found is not None
    assert found.shape == (1, side, side)


def test_a_place_that_was_not_looked_at_stays_grey() -> None:
    picture = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    seen = np.zeros((4, 4), np.float32)
    seen[0, 0] = 1
    found = overlaid(picture, seen)
    assert found[1, 1].tolist() == [20, 20, 20]
    assert found[0, 0, 0] > found[0, 0, 2]
