"""The network every task shares: a timm backbone with pooled features, and a head."""

import difflib
from collections.abc import Sequence
from typing import NamedTuple, cast

import timm
import torch
from torch import Tensor, nn

from transfer.errors import RecipeError


class Normalization(NamedTuple):
    """Channel means and deviations a backbone was trained with, for pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Network(nn.Module):
    """Pixels in, logits out; normalization is its first step, so that nobody can forget it.

    Shape:
        pixels: (B, C, S, S), uint8, or float32 in [0, 1].
        logits: (B, K) float32.

    Attributes:
        name: timm's, of the backbone.
        backbone: a timm model without classifier; (B, C, S, S) -> pooled features (B, D).
        head: features (B, D) -> logits (B, K).
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, backbone: nn.Module, classes: int, normalization: Normalization
    ) -> None:
        super().__init__()
        self.name, self.backbone = name, backbone
        self.head = nn.Linear(cast("int", backbone.num_features), classes)
        self.normalization = normalization
        # They belong to the description of the model, not to its weights.
        self.register_buffer("mean", _as_channels(normalization.mean), persistent=False)
        self.register_buffer("std", _as_channels(normalization.std), persistent=False)
        nn.init.zeros_(self.head.weight)  # all classes alike: the first loss is log(K)
        nn.init.zeros_(self.head.bias)

    def embed(self, pixels: Tensor) -> Tensor:
        """Return pooled features (B, D) of `pixels` (B, C, S, S)."""
        scaled = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
        features: Tensor = self.backbone((scaled - self.mean) / self.std)
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (B, K) of `pixels` (B, C, S, S)."""
        logits: Tensor = self.head(self.embed(pixels))
        return logits


def build_network(name: str, classes: int, normalization: Normalization | None = None) -> Network:
    """Return the timm model `name` with random weights and a head of `classes` outputs.

    The head starts at zero; the backbone is drawn from torch's global random state.

    Args:
        name: any timm model name.
        classes: number of outputs, K.
        normalization: of the pixels; unset takes what timm states for the model.

    Raises:
        RecipeError: timm has no such model, or it gives no pooled features.
    """
    check_name(name)
    backbone = timm.create_model(name, pretrained=False, num_classes=0)
    if not getattr(backbone, "num_features", 0):
        raise RecipeError(f"backbone {name!r} gives no pooled features; choose another")
    stated = backbone.pretrained_cfg
    own = Normalization(tuple(stated["mean"]), tuple(stated["std"]))
    network = Network(name, backbone, classes, normalization or own)
    return network.to(memory_format=torch.channels_last)


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


def check_size(name: str, size: int) -> None:
    """Refuse a picture size that the timm model `name` reduces to nothing; no weight is drawn.

    Raises:
        RecipeError: the deepest features would be under one pixel, or the model wants another size.
    """
    with torch.device("meta"):  # shapes only
        network = build_network(name, classes=1)
        stages = cast("Sequence[dict[str, int]]", network.backbone.feature_info)
        reduction = max((stage["reduction"] for stage in stages), default=1)
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
    return torch.tensor(numbers).view(1, -1, 1, 1)
