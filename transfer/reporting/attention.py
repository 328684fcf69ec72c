"""Where in a picture a network saw what it said: Grad-CAM.

Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74: the maps of the last stage, each weighted by the
mean gradient of what is said. Captum's takes maps of convolutions alone; a backbone of timm's may
give tokens, or channels last.
"""

from collections.abc import Sequence
from math import isqrt
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer.network.backbone import Network

_PLANE, _TOKENS = 4, 3  # dimensions of maps (B, C, H, W) or (B, H, W, C), and of tokens (B, N, C)
_WARM = np.array([255, 96, 0], np.float32)
_STRENGTH = 0.7  # of the colour where the network looked most


def attention(
    network: Network, pixels: Tensor, classes: Sequence[int]
) -> NDArray[np.float32] | None:
    """Return how much each place spoke for a class, (B, S, S) in [0, 1]; leaves eval mode on.

    None where the backbone does not say which layer its last stage ends with, or gives no maps.

    Args:
        network: on the CPU; its weights keep no gradients.
        pixels: (B, C, S, S) uint8, or float32 in [0, 1].
        classes: number of a logit for each picture.
    """
    stages = cast("Sequence[dict[str, str]]", getattr(network.backbone, "feature_info", ()))
    if not stages or "module" not in stages[-1]:
        return None
    kept: list[Tensor] = []
    layer = network.backbone.get_submodule(stages[-1]["module"])
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    try:
        with torch.enable_grad():
            logits = network.eval()(pixels)
    finally:
        hook.remove()
    spoken = logits[torch.arange(len(pixels)), torch.tensor(classes)].sum()
    (gradient,) = torch.autograd.grad(spoken, kept[-1])
    maps = _as_maps(kept[-1].detach(), network)
    slopes = _as_maps(gradient, network)
    if maps is None or slopes is None:
        return None
    seen = (maps * slopes.mean(dim=(2, 3), keepdim=True)).sum(dim=1).clamp(min=0)
    # From least to most: of a map of 2 x 2 places all would be warm otherwise.
    least, most = seen.amin(dim=(1, 2), keepdim=True), seen.amax(dim=(1, 2), keepdim=True)
    seen = (seen - least) / (most - least).clamp(min=1e-12)
    side = pixels.shape[-1]
    return np.stack([cv2.resize(one, (side, side)) for one in seen.float().numpy()])


def overlaid(picture: NDArray[np.uint8], seen: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a picture (S, S, 3), grey, warm where the network looked: `seen` (S, S) in [0, 1]."""
    grey = picture.mean(axis=2, keepdims=True).repeat(3, axis=2)
    share = _STRENGTH * np.clip(seen, 0, 1)[..., np.newaxis]
    return np.asarray((grey * (1 - share) + _WARM * share).round(), np.uint8)


def _as_maps(values: Tensor, network: Network) -> Tensor | None:
    """Return outputs of a stage as (B, C, H, W), or None where they are no maps."""
    if values.ndim == _TOKENS:
        extra = int(getattr(network.backbone, "num_prefix_tokens", 0))
        tokens = values[:, extra:]
        side = isqrt(tokens.shape[1])
        if side**2 != tokens.shape[1]:
            return None
        return tokens.transpose(1, 2).reshape(len(values), -1, side, side)
    if values.ndim != _PLANE:
        return None
    last = getattr(network.backbone, "output_fmt", None)
    return values.permute(0, 3, 1, 2) if str(last).endswith("NHWC") else values
