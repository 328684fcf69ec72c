"""Two pictures in one: mixup and cutmix, a function of (seed, epoch, step)."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from transfer.settings import TrainingSettings

_STREAM = 2  # keeps these draws apart from those of views and orders, which have seed and epoch too


class Mixed(NamedTuple):
    """A batch whose pictures were mixed in pairs.

    Attributes:
        pixels: (B, C, S, S), in the memory format of the batch they were made of.
        partner: (B,) int64, a permutation: which row was mixed into each row.
        lam: share of its own row in each picture, in [0, 1].
    """

    pixels: Tensor
    partner: Tensor
    lam: float

    def loss(self, loss: Callable[[Tensor], Tensor], targets: Tensor) -> Tensor:
        """Return `lam` of the loss on the rows' own targets, and the rest on their partners'.

        So any kind of target can be mixed, class numbers and ranks included.

        Args:
            loss: targets (B, ...) -> loss of the mixed batch, a scalar or per row.
            targets: of the rows before mixing, (B, ...).
        """
        if self.lam == 1:  # nothing was mixed
            return loss(targets)
        return self.lam * loss(targets) + (1 - self.lam) * loss(targets[self.partner])


def mix(pixels: Tensor, settings: TrainingSettings, key: tuple[int, int, int]) -> Mixed:
    """Return a batch mixed by mixup or cutmix; with both on a fair coin picks one, with none as is.

    Nothing is drawn from a global random state, and `pixels` are left alone.

    Args:
        pixels: (B, C, S, S), uint8, or float32 in [0, 1].
        settings: `mixup` and `cutmix`, the alphas of Beta(alpha, alpha); 0 is off.
        key: seed, epoch, and number of the batch in the epoch: the same key draws the same.
    """
    alphas = ((_mixup, settings.mixup), (_cutmix, settings.cutmix))
    kinds = [(kind, alpha) for kind, alpha in alphas if alpha > 0]
    if not kinds:
        return Mixed(pixels, torch.arange(len(pixels), device=pixels.device), 1.0)
    generator = np.random.default_rng((*key, _STREAM))
    kind, alpha = kinds[generator.integers(len(kinds))]
    permutation = torch.from_numpy(generator.permutation(len(pixels)))
    partner = permutation.to(pixels.device, non_blocking=True)  # else it waits for all work there
    return kind(pixels, partner, alpha, generator)


def _mixup(pixels: Tensor, partner: Tensor, alpha: float, generator: np.random.Generator) -> Mixed:
    """Blend each picture with its partner (Zhang et al. 2018, mixup, arXiv:1710.09412)."""
    lam = float(generator.beta(alpha, alpha))
    # a blend of whole numbers is none: bytes become float32 in [0, 1]
    own = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels
    blend = torch.lerp(_rows(own, partner), own, lam)
    return Mixed(blend, partner, lam)


def _cutmix(pixels: Tensor, partner: Tensor, alpha: float, generator: np.random.Generator) -> Mixed:
    """Paste a box of its partner into each picture (Yun et al. 2019, doi:10.1109/ICCV.2019.00612).

    The box may stick out of the picture; the share is that of the pixels that were truly kept.
    """
    height, width = pixels.shape[-2:]
    side = math.sqrt(1 - generator.beta(alpha, alpha))
    top, bottom = _span(height, side, generator)
    left, right = _span(width, side, generator)
    pasted = pixels.clone()  # keeps the memory format
    pasted[..., top:bottom, left:right] = pixels[partner, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return Mixed(pasted, partner, kept)


def _span(length: int, share: float, generator: np.random.Generator) -> tuple[int, int]:
    """Return a stretch of about `share` of `length` px around a uniform centre, cut at the ends."""
    half, centre = int(length * share) // 2, int(generator.integers(length))
    return max(0, centre - half), min(length, centre + half)


def _rows(pixels: Tensor, numbers: Tensor) -> Tensor:
    """Return some rows in the memory format of `pixels`; torch's own indexing may lose it."""
    channels_last = pixels.is_contiguous(memory_format=torch.channels_last)
    wanted = torch.channels_last if channels_last else torch.contiguous_format
    return pixels[numbers].contiguous(memory_format=wanted)
