"""Optimizer, layer-wise learning rates and the learning-rate curve."""

import difflib
import math

import timm.optim
from torch import nn
from torch.optim import Optimizer

from transfer.errors import RecipeError
from transfer.network.backbone import Network
from transfer.network.stages import stages
from transfer.recipe import TrainingSettings


def build_optimizer(network: Network, lr: float, settings: TrainingSettings) -> Optimizer:
    """Return an optimizer over the trainable weights of `network`.

    The head learns at `lr * head_lr`; each stage of the backbone nearer to the input learns
    `layer_decay` times slower (Clark et al. 2020, ELECTRA). Norms and biases are not decayed.
    Every group carries "lr_scale", its share of the learning rate.

    Raises:
        RecipeError: timm has no optimizer of that name.
    """
    groups = _backbone_groups(network.backbone, settings) + _head_groups(network.head, settings)
    try:
        optimizer: Optimizer = timm.optim.create_optimizer_v2(
            groups, opt=settings.optimizer, lr=lr, weight_decay=settings.weight_decay
        )
    except (ValueError, AssertionError) as error:
        near = difflib.get_close_matches(settings.optimizer, timm.optim.list_optimizers())
        raise RecipeError(
            f"training.optimizer = {settings.optimizer!r}: timm has none of that name; "
            f"among others it has {', '.join(near or ('adamw', 'sgd'))}"
        ) from error
    return optimizer


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the rate of `step` (0..steps-1): a linear rise over `warmup`, then half a cosine to 0.

    Args:
        step: which step of the run.
        steps: all of them.
        peak: the highest rate.
        warmup: share of the steps that rise.
    """
    rising = round(warmup * steps)
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    done = (step - rising) / max(1, steps - rising)
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group of `optimizer` its share of `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def _backbone_groups(backbone: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    # What its authors ask for
    as_they_are: frozenset[str] = getattr(backbone, "no_weight_decay", frozenset)()
    groups: list[dict[str, object]] = []
    found = stages(backbone)
    for number, stage in enumerate(found):
        weights = [(name, backbone.get_parameter(name)) for name in stage.parameters]
        plain = [w for name, w in weights if w.ndim <= 1 or name in as_they_are]
        decayed = [w for name, w in weights if w.ndim > 1 and name not in as_they_are]
        scale = settings.layer_decay ** (len(found) - number)
        groups += _groups(decayed, plain, scale, settings.weight_decay)
    return groups


def _head_groups(head: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    decayed = [weight for weight in head.parameters() if weight.ndim > 1]
    plain = [weight for weight in head.parameters() if weight.ndim <= 1]
    return _groups(decayed, plain, settings.head_lr, settings.weight_decay)


def _groups(
    decayed: list[nn.Parameter], plain: list[nn.Parameter], scale: float, weight_decay: float
) -> list[dict[str, object]]:
    """Return what of `decayed` and `plain` trains, in groups for an optimizer."""
    parts = (
        ([w for w in decayed if w.requires_grad], weight_decay),
        ([w for w in plain if w.requires_grad], 0.0),
    )
    return [
        {"params": weights, "weight_decay": decay, "lr_scale": scale}
        for weights, decay in parts
        if weights
    ]
