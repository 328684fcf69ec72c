"""What trains and what does not, batch statistics included: the one place that decides it."""

from collections.abc import Set as AbstractSet
from enum import StrEnum

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.errors import RecipeError
from transfer.network.backbone import Network, build_network
from transfer.network.stages import stages

SMALL_BATCH = 16


class BatchStatistics(StrEnum):
    """Whether batch norm of a trained backbone uses and moves its running statistics."""

    FROZEN = "frozen"
    UPDATED = "updated"


def statistics_for(wish: str, rows_per_step: int, *, from_scratch: bool) -> BatchStatistics:
    """Return the wish, or for "auto" frozen statistics where a step has under 16 rows.

    The mean and variance of so few rows are too noisy to normalize by (Wu & He 2018); but from
    scratch there are no others.
    """
    if wish != "auto":
        return BatchStatistics(wish)
    few = rows_per_step < SMALL_BATCH and not from_scratch
    return BatchStatistics.FROZEN if few else BatchStatistics.UPDATED


def train_from(network: Network, first: int, statistics: BatchStatistics) -> None:
    """Let the stages of `network` from number `first` on, and its head, train; all before rest.

    What rests has no gradients, no dropout and no moving statistics: `requires_grad = False` alone
    is not enough, in training mode batch norm keeps moving. Call it before each epoch in place of
    `.train()`.

    Args:
        network: changed in place.
        first: number of the first stage that trains; 0 is all of them, one past the last the head
            alone.
        statistics: of the stages that train.

    Raises:
        RecipeError: there is no such stage.
    """
    backbone = network.backbone
    found = stages(backbone)
    if not 0 <= first <= len(found):
        raise RecipeError(f"stage {first}: {network.name} has the stages 0 to {len(found) - 1}")
    network.requires_grad_(requires_grad=True).train()
    if statistics is BatchStatistics.FROZEN:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
    resting = {name for stage in found[:first] for name in stage.parameters}
    for name in resting:
        weight = backbone.get_parameter(name)
        weight.requires_grad = False
        weight.grad = None  # an optimizer that holds the weight would go on by an old gradient
    _rest(backbone, "", resting)


def freeze_backbone(network: Network) -> None:
    """Let only the head of `network` train."""
    train_from(network, len(stages(network.backbone)), BatchStatistics.FROZEN)


def stage_number(network: Network, name: str) -> int:
    """Return the number of the stage `name`, counted from the stem.

    Raises:
        RecipeError: with the names there are.
    """
    names = [stage.name for stage in stages(network.backbone)]
    if name not in names:
        raise RecipeError(f"{network.name} has no stage {name!r}; it has {', '.join(names)}")
    return names.index(name)


def check_stage(backbone: str, name: str) -> None:
    """Refuse a stage that the timm model `backbone` has not; no weight is drawn.

    Raises:
        RecipeError: with the names there are.
    """
    with torch.device("meta"):
        stage_number(build_network(backbone, classes=1), name)


def _rest(module: nn.Module, place: str, resting: AbstractSet[str]) -> None:
    """Put `module` in eval mode if all weights in it rest, else those of its parts that do."""
    weights = {place + name for name, _ in module.named_parameters()}
    if weights and weights <= resting:
        module.eval()
        return
    for name, child in module.named_children():
        _rest(child, f"{place}{name}.", resting)
