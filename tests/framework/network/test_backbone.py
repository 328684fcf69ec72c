import numpy as np
import pytest
import torch
from timm.layers import DropPath
from torch import Tensor

from transfer.errors import RecipeError
from transfer.finetuning.schedule import build_optimizer
from transfer.network.backbone import (
    Design,
    Network,
    Normalization,
    build_network,
    check_name,
    check_size,
)
from transfer.network.freezing import BatchStatistics, train_from
from transfer.network.stages import stages
from transfer.recipe import Recipe
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings, TrainingSettings

FAMILIES = (
    *("resnet10t", "resnet18d", "resnet50", "wide_resnet50_2", "resnext50_32x4d", "seresnet50"),
    *("densenet121", "vgg11", "vgg11_bn", "alexnet", "plain20", "resnet20", "test_convnext"),
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


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_goes_through_what_a_run_does(name: str) -> None:
    with torch.device("meta"):  # shapes only
        network = build_network(name, 5, Normalization((0.5,) * 4, (0.2,) * 4))
        head = network.head
        features = network.embed(torch.zeros(2, 4, 64, 64))
        assert features.shape == (2, head.in_features)
        head.place(torch.ones(5, head.in_features), torch.ones(5))
        train_from(network, 2, BatchStatistics.UPDATED)
        optimizer = build_optimizer(network, 0.1, TrainingSettings(optimizer="sgd"))
        network(torch.zeros(2, 4, 64, 64)).sum().backward()
        optimizer.step()
    resting = {name for stage in stages(network.backbone)[:2] for name in stage.parameters}
    for weight_name, weight in network.backbone.named_parameters():
        assert (weight.grad is None) is (weight_name in resting)


def test_a_head_is_of_the_kind_of_target() -> None:
    design = Design(TargetKind.ORDINAL, HeadSettings(kind="residual-mlp", hidden=8))
    network = build_network("test_resnet", 5, design=design)
    assert network(noise(2, 3, 32, 32)).shape == (2, 4)


def test_dropout_and_drop_path_are_those_of_the_recipe() -> None:
    training = TrainingSettings(dropout=0.3, drop_path=0.2)
    design = Design.of(Recipe(training=training), TargetKind.SINGLE_LABEL)
    network = build_network("test_resnet", 5, design=design)
    assert network.head.dropout.p == 0.3
    rates = [m.drop_prob for m in network.modules() if isinstance(m, DropPath)]
    assert max(rates) == pytest.approx(0.2)  # of the deepest
    plain = build_network("test_resnet", 5)
    assert plain.state_dict().keys() == network.state_dict().keys()


@pytest.mark.parametrize("name", ["vgg11", "densenet121", "plain20", "alexnet"])
def test_a_network_without_branches_to_drop_refuses_drop_path(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"training.drop_path = 0.1: {name} has no"):
        build_network(name, 2, design=Design(drop_path=0.1))


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
