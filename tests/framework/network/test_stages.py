from collections import Counter

import pytest
import torch
from torch import nn

from transfer.network.backbone import Network, build_network
from transfer.network.stages import stages


def shapes_of(name: str) -> Network:
    with torch.device("meta"):
        return build_network(name, 2)


RESNET = ("stem", "layer1", "layer2", "layer3", "layer4")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", RESNET),
        ("resnet50", RESNET),
        ("resnet50d", RESNET),
        ("wide_resnet50_2", RESNET),
        ("resnext50_32x4d", RESNET),
        ("seresnet50", RESNET),
        ("plain20", RESNET[:4]),
        ("resnet56", RESNET[:4]),
        ("densenet121", ("stem", *(f"features.denseblock{n}" for n in (1, 2, 3, 4)))),
        # Simonyan & Zisserman 2015: five resolutions, whose first layers stand here; then dense
        ("vgg16", ("stem", *(f"features.{n}" for n in (5, 10, 17, 24)), "pre_logits")),
        ("vgg16_bn", ("stem", *(f"features.{n}" for n in (7, 14, 24, 34)), "pre_logits")),
        ("alexnet", ("stem", "features.3", "features.6", "classifier")),
        ("test_vit", ("stem", *(f"blocks.{n}" for n in range(6)))),
    ],
)
def test_stages_have_the_names_that_people_know(name: str, expected: tuple[str, ...]) -> None:
    assert tuple(stage.name for stage in stages(shapes_of(name).backbone)) == expected


@pytest.mark.parametrize("name", ["resnet50d", "densenet121", "vgg11_bn", "test_convnext"])
def test_every_weight_is_in_exactly_one_stage(name: str) -> None:
    backbone = shapes_of(name).backbone
    seen = Counter(weight for stage in stages(backbone) for weight in stage.parameters)
    assert seen == Counter(name for name, _ in backbone.named_parameters())


def test_no_stage_is_norms_alone() -> None:
    for name in ("densenet121", "test_convnext", "vgg11_bn"):
        backbone = shapes_of(name).backbone
        for stage in stages(backbone):
            assert max(backbone.get_parameter(weight).ndim for weight in stage.parameters) > 1


def test_a_network_that_says_nothing_of_its_layers_is_one_stage() -> None:
    (stage,) = stages(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    assert stage.name == "stem"
    assert stage.parameters == ("0.weight", "0.bias", "1.weight", "1.bias")
