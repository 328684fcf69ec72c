"""Pooled features of a picture: of the last stage of a backbone, or of several.

What the last stage no longer tells apart, an earlier one may: a head on frozen features gains by
seeing both (Evci et al. 2022, Head2Toe, arXiv:2201.03529).
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from transfer.errors import RecipeError

SEVERAL = 4  # a ResNet's, without its stem


def stages_to_pool(name: str, backbone: nn.Module, wish: int | None) -> int:
    """Return of how many of its last stages `backbone` gives the features that a head sees.

    Args:
        name: of the backbone, for people.
        backbone: a timm model without classifier.
        wish: so many; None takes `SEVERAL`, as far as the model tells of its stages.

    Raises:
        RecipeError: it does not have so many.
    """
    there = len(_outputs(backbone)) if hasattr(backbone, "forward_intermediates") else 1
    if wish is None:
        return min(SEVERAL, there)
    if wish > there:
        raise RecipeError(
            f"head.stages = {wish}: {name} gives the outputs of {there} "
            f"{'stage' if there == 1 else 'stages'}; take at most {there}"
        )
    return wish


def width_of(backbone: nn.Module, stages: int) -> int:
    """Return how many features D the last `stages` stages of `backbone` have together."""
    # Some (VGG) widen the pooled features before the classifier that was left out.
    own = cast("int", getattr(backbone, "head_hidden_size", None) or backbone.num_features)
    earlier: int = sum(each["num_chs"] for each in _outputs(backbone)[-stages:-1])
    return own + earlier


def pool(backbone: nn.Module, pixels: Tensor, stages: int) -> Tensor:
    """Return features (B, D): the mean over each earlier stage's map, then the last one's own.

    Args:
        backbone: a timm model without classifier.
        pixels: (B, C, S, S), normalized.
        stages: of how many of its last stages.
    """
    if stages == 1:
        features: Tensor = backbone(pixels)
        return features
    model = cast("Any", backbone)
    last, maps = model.forward_intermediates(pixels, indices=stages)
    means = [each.mean(dim=(2, 3)) for each in maps[:-1]]
    return torch.cat([*means, model.forward_head(last, pre_logits=True)], dim=1)


def _outputs(backbone: nn.Module) -> Sequence[dict[str, Any]]:
    """Return what timm says of the outputs of the stages, in their order."""
    return list(cast("Sequence[dict[str, Any]]", getattr(backbone, "feature_info", ())))
