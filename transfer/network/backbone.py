"""The network every task shares: a timm backbone with pooled features, and a head."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

import timm
import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from transfer.errors import RecipeError
from transfer.network import alexnet, plain  # noqa: F401  # registers them with timm
from transfer.network.heads import Head
from transfer.network.objective import build_head, head_kind
from transfer.network.pooling import pool, stages_to_pool, width_of
from transfer.recipe import Recipe, Strategy
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings


class Normalization(NamedTuple):
    """Channel means and deviations a backbone was trained with, for pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Design:
    """What a network is besides its backbone.

    Attributes:
        kind: of target, which decides what a head gives.
        head: its kind and size.
        dropout: share of the head's inputs that a training step leaves out.
        drop_path: share of the deepest residual branches that a training step leaves out.
        stages: of how many of the last stages the head sees the features; None: of several.
    """

    kind: TargetKind = TargetKind.SINGLE_LABEL
    head: HeadSettings = field(default_factory=HeadSettings)
    dropout: float = 0.0
    drop_path: float = 0.0
    stages: int | None = 1

    @classmethod
    def of(cls, recipe: Recipe, kind: TargetKind) -> "Design":
        """Return what `recipe` asks for."""
        training, stages = recipe.training, recipe.head.stages
        if recipe.strategy is not Strategy.PROBE or head_kind(kind, recipe.head) == "cosine":
            # Directions are compared: features of other sizes would not weigh alike.
            stages = stages or 1
        return cls(kind, recipe.head, training.dropout, training.drop_path, stages)


class Network(nn.Module):
    """Pixels in, logits out; normalization is its first step, so that nobody can forget it.

    Shape:
        pixels: (B, C, S, S), uint8, or float32 in [0, 1].
        logits: (B, O) float32; O is K, or K - 1 where classes are ordered.

    Attributes:
        name: timm's, of the backbone.
        backbone: a timm model without classifier.
        head: pooled features (B, D) -> logits (B, O).
        stages: of how many of the backbone's last stages they are.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        backbone: nn.Module,
        head: Head,
        normalization: Normalization,
        stages: int = 1,
    ) -> None:
        super().__init__()
        self.name, self.backbone, self.head = name, backbone, head
        self.normalization, self.stages = normalization, stages
        # They belong to the description of the model, not to its weights.
        self.register_buffer("mean", _as_channels(normalization.mean), persistent=False)
        self.register_buffer("std", _as_channels(normalization.std), persistent=False)

    def embed(self, pixels: Tensor) -> Tensor:
        """Return pooled features (B, D) of `pixels` (B, C, S, S)."""
        scaled = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
        return pool(self.backbone, (scaled - self.mean) / self.std, self.stages)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (B, O) of `pixels` (B, C, S, S)."""
        logits: Tensor = self.head(self.embed(pixels))
        return logits


def build_network(
    name: str,
    classes: int,
    normalization: Normalization | None = None,
    design: Design | None = None,
) -> Network:
    """Return the timm model `name` with random weights and a head for `classes` classes.

    The backbone is drawn from torch's global random state.

    Args:
        name: any timm model name.
        classes: how many, K.
        normalization: of the pixels, one number a band; unset takes what timm states for the model.
        design: head, kind of target and dropout; unset is a linear head for single labels.

    Raises:
        RecipeError: timm has no such model, it gives no pooled features, has fewer stages than the
            head wants or no residual branches to drop, or the head makes no sense for the kind of
            target.
    """
    check_name(name)
    design = design or Design()
    bands = 3 if normalization is None else len(normalization.mean)
    backbone = _create(name, bands, design.drop_path)
    if not getattr(backbone, "num_features", 0):
        raise RecipeError(f"backbone {name!r} gives no pooled features; choose another")
    stages = stages_to_pool(name, backbone, design.stages)
    width = width_of(backbone, stages)
    head = build_head(design.kind, design.head, width, classes, design.dropout)
    network = Network(name, backbone, head, normalization or stated_normalization(name), stages)
    return network.to(memory_format=torch.channels_last)


def stated_normalization(name: str) -> Normalization:
    """Return what timm states for the model `name`, of red, green and blue."""
    stated = timm.get_pretrained_cfg(name) or PretrainedCfg()
    return Normalization(tuple(stated.mean), tuple(stated.std))


def _create(name: str, bands: int, drop_path: float) -> nn.Module:
    options: dict[str, float] = {"drop_path_rate": drop_path} if drop_path else {}
    try:
        backbone: nn.Module = timm.create_model(
            name, pretrained=False, num_classes=0, in_chans=bands, **options
        )
    except TypeError as error:
        if "drop_path_rate" not in str(error):
            raise
        raise RecipeError(
            f"training.drop_path = {drop_path:g}: {name} has no residual branches to drop; "
            "leave it at 0"
        ) from error
    return backbone


def check_name(name: str) -> None:
    """Refuse a name, or the tag behind its dot, that timm does not know.

    Raises:
        RecipeError: with the names that are near it.
    """
    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise RecipeError(f"backbone {name!r} is no model of timm{hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        known = ", ".join(timm.list_pretrained(f"{architecture}.*"))
        raise RecipeError(f"backbone {name!r}: timm knows no such tag; it has {known}") from error


def check_size(name: str, size: int, stages: int = 1) -> None:
    """Refuse a picture size that the timm model `name` reduces to nothing; no weight is drawn.

    Args:
        name: of the model.
        size: S, px.
        stages: of how many of its last stages the head shall see the features.

    Raises:
        RecipeError: the deepest features would be under one pixel, the model wants another size or
            has fewer stages.
    """
    with torch.device("meta"):  # shapes only
        network = build_network(name, classes=1, design=Design(stages=stages))
        outputs = cast("Sequence[dict[str, int]]", network.backbone.feature_info)
        reduction = max((output["reduction"] for output in outputs), default=1)
        if size < reduction:
            raise RecipeError(
                f"size = {size}: {name} reduces a picture {reduction} times, "
                f"so that nothing is left of {size} px; take --size {reduction} or more"
            )
        try:
            network.eval()(torch.zeros(1, len(network.normalization.mean), size, size))
        except (AssertionError, RuntimeError) as error:
            raise RecipeError(f"size = {size}: {name} does not take it: {error}") from error


def _as_channels(numbers: tuple[float, ...]) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(1, -1, 1, 1)
