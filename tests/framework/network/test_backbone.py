import numpy as np
import pytest
import torch
from torch import Tensor

from transfer.errors import RecipeError
from transfer.network.backbone import (
    Network,
    Normalization,
    build_network,
    check_name,
    check_size,
)

UNEVEN = Normalization((0.1, 0.5, 0.9), (0.2, 0.3, 0.4))


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    network = build_network("test_resnet", 4, UNEVEN).eval()
    torch.nn.init.normal_(network.head.weight)
    return network


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.manual_seed(1))


def test_normalization_inside_equals_doing_it_by_hand(network: Network) -> None:
    pixels = noise(2, 3, 32, 32)
    by_hand = np.empty((2, 3, 32, 32))
    for band in range(3):
        by_hand[:, band] = (pixels[:, band].numpy() / 255 - UNEVEN.mean[band]) / UNEVEN.std[band]
    with torch.inference_mode():
        features = network.backbone(torch.from_numpy(by_hand).float())
        expected = features @ network.head.weight.T + network.head.bias
        assert torch.allclose(network.embed(pixels), features, atol=1e-5)
        assert torch.allclose(network(pixels), expected, atol=1e-4)


def test_bytes_and_floats_of_one_picture_agree(network: Network) -> None:
    pixels = noise(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(network(pixels), network(pixels.float() / 255), atol=1e-5)


def test_pixels_are_not_changed(network: Network) -> None:
    for pixels in (noise(1, 3, 32, 32), noise(1, 3, 32, 32).float() / 255):
        before = pixels.clone()
        network(pixels)
        assert torch.equal(pixels, before)


def test_unless_told_otherwise_the_normalization_is_the_model_s_own() -> None:
    own = build_network("test_resnet", 2).normalization
    assert own == Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # not ImageNet's
    assert build_network("resnet10t", 2).normalization.mean == (0.485, 0.456, 0.406)


def test_normalization_is_no_weight(network: Network) -> None:
    assert {name.partition(".")[0] for name in network.state_dict()} == {"backbone", "head"}


def test_a_new_head_calls_all_classes_alike() -> None:
    logits = build_network("test_resnet", 5).eval()(noise(2, 3, 32, 32))
    assert torch.equal(logits, torch.zeros(2, 5))


def test_one_seed_gives_one_network() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_network("test_resnet", 2).state_dict())
    same, other = states[1], states[2]
    assert all(torch.equal(tensor, same[name]) for name, tensor in states[0].items())
    assert not torch.equal(states[0]["backbone.conv1.0.weight"], other["backbone.conv1.0.weight"])


def test_weights_lie_channels_last(network: Network) -> None:
    weight = network.backbone.get_parameter("layer2.0.conv1.weight")
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("resnt18", "resnet18"), ("resnet_50", "resnet50"), ("ResNet34", "resnet34")],
)
def test_an_unknown_backbone_is_refused_with_what_was_meant(wrong: str, meant: str) -> None:
    for refuse in (check_name, lambda name: build_network(name, 2)):
        with pytest.raises(RecipeError, match="is no model of timm; did you mean") as caught:
            refuse(wrong)
        assert meant in str(caught.value)


def test_a_name_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(RecipeError) as caught:
        build_network("qqqqqqqqqqq", 2)
    assert str(caught.value) == "backbone 'qqqqqqqqqqq' is no model of timm"


def test_an_unknown_tag_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="timm knows no such tag") as caught:
        build_network("resnet18.nope", 2)
    assert "resnet18.tv_in1k" in str(caught.value)


@pytest.mark.parametrize("name", ["resnet18", "resnet18.tv_in1k", "test_resnet"])
def test_a_known_name_passes(name: str) -> None:
    check_name(name)


def test_a_size_below_the_stride_is_refused() -> None:
    check_size("test_resnet", 32)
    with pytest.raises(RecipeError, match="test_resnet reduces a picture 32 times") as caught:
        check_size("test_resnet", 31)
    assert "--size 32" in str(caught.value)


def test_a_size_that_the_model_does_not_take_is_refused() -> None:
    name = "vit_tiny_patch16_224"  # it has learned 224 px only
    with pytest.raises(RecipeError, match=f"size = 64: {name} does not take it: "):
        check_size(name, 64)


def test_looking_at_the_size_draws_no_numbers() -> None:
    before = torch.get_rng_state()
    check_size("test_resnet", 32)
    assert torch.equal(torch.get_rng_state(), before)
