import pytest

from transfer.errors import RecipeError
from transfer.network.cost import count_cost


def test_multiply_adds_are_those_counted_by_hand() -> None:
    # resnet20 at 32 px, layer by layer: pixels of the output * 9 * channels in * channels out
    stem = 32**2 * 9 * 3 * 16
    layer1 = 6 * 32**2 * 9 * 16 * 16
    layer2 = 16**2 * 9 * (16 * 32 + 5 * 32 * 32)
    layer3 = 8**2 * 9 * (32 * 64 + 5 * 64 * 64)
    assert count_cost("resnet20", 32).macs == stem + layer1 + layer2 + layer3


def test_a_resnet50_costs_what_is_published() -> None:
    cost = count_cost("resnet50", 224)
    assert cost.macs / 1e9 == pytest.approx(4.09, abs=0.02)  # torchvision's table: 4.09 GFLOPS
    assert cost.parameters == 25_557_032 - 1000 * 2049  # torchvision's, without the classifier


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(RecipeError, match="is no model of timm"):
        count_cost("resnt", 224)
