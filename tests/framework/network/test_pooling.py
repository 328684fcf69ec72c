import pytest
import torch
from torch import Tensor

from transfer.errors import RecipeError
from transfer.network.backbone import Design, build_network
from transfer.network.folding import fold
from transfer.network.pooling import SEVERAL
from transfer.recipe import Recipe
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings

SINGLE = TargetKind.SINGLE_LABEL
TOLD = ("resnet10t", "resnet50", "seresnet50", "densenet121", "vgg11_bn", "test_convnext")
UNTOLD = ("alexnet", "plain20", "resnet20")


def noise(size: int = 64) -> Tensor:
    return torch.rand(3, 3, size, size, generator=torch.manual_seed(1))


def test_features_are_the_means_over_the_maps_of_the_stages() -> None:
    torch.manual_seed(0)
    network = build_network("test_resnet", 2, design=Design(stages=3)).eval()
    maps = list[Tensor]()
    for stage in (network.backbone.layer2, network.backbone.layer3, network.backbone.layer4):
        stage.register_forward_hook(lambda module, given, made: maps.append(made))
    with torch.inference_mode():
        features = network.embed(noise())
    expected = torch.cat([each.flatten(2).mean(dim=2) for each in maps], dim=1)
    assert network.stages == 3
    assert torch.allclose(features, expected, atol=1e-6)


@pytest.mark.parametrize("name", TOLD)
def test_what_one_stage_gives_comes_last(name: str) -> None:
    torch.manual_seed(0)
    several = build_network(name, 2, design=Design(stages=None)).eval()
    torch.manual_seed(0)
    one = build_network(name, 2).eval()
    with torch.inference_mode():
        last, features = one.embed(noise()), several.embed(noise())
    assert several.stages == SEVERAL
    assert features.shape[1] == several.head.in_features > last.shape[1]
    assert torch.allclose(features[:, -last.shape[1] :], last, atol=1e-5)


def test_folded_batch_norms_give_the_same_maps() -> None:
    torch.manual_seed(0)
    network = build_network("resnet10t", 2, design=Design(stages=None)).eval()
    with torch.inference_mode():
        features, folded = network.embed(noise()), fold(network, torch.float32).embed(noise())
    assert torch.allclose(folded, features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", UNTOLD)
def test_a_backbone_that_does_not_tell_its_stages_gives_its_last(name: str) -> None:
    assert build_network(name, 2, design=Design(stages=None)).stages == 1


def test_more_stages_than_there_are_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"head.stages = 9: resnet18 gives the outputs of 5 stag"):
        build_network("resnet18", 2, design=Design(stages=9))
    with pytest.raises(RecipeError, match=r"plain20 gives the outputs of 1 stage; take at most 1"):
        build_network("plain20", 2, design=Design(stages=2))


@pytest.mark.parametrize(
    ("recipe", "kind", "stages"),
    [
        (Recipe(strategy="probe"), SINGLE, None),
        (Recipe(strategy="probe", head=HeadSettings(stages=1)), SINGLE, 1),
        (Recipe(strategy="probe", head=HeadSettings(kind="cosine")), SINGLE, 1),
        (Recipe(strategy="probe"), TargetKind.IDENTITY, 1),
        (Recipe(strategy="finetune"), SINGLE, 1),
        (Recipe(strategy="finetune", head=HeadSettings(stages=2)), SINGLE, 2),
    ],
)
def test_the_head_sees_several_stages_where_they_do_not_learn(
    recipe: Recipe, kind: TargetKind, stages: int | None
) -> None:
    assert Design.of(recipe, kind).stages == stages
