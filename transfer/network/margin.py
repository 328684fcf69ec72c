"""The margin that a cosine head has to keep between a row and the other classes."""

import torch
from torch import Tensor

from transfer.settings import HeadSettings

# At exactly 1 the angle's derivative is infinite: a class of one row starts there.
_LARGEST_COSINE = 1 - 1e-6


class ArcFace:
    """An angle added between a row and its own class (Deng et al. 2019, ArcFace).

    It grows from nothing over the warm-up: at full size from the first step, a network that does
    not know the classes yet is pushed about by all of them.
    """

    def __init__(self, settings: HeadSettings) -> None:
        # Imports all its losses and miners; most runs need none.
        from pytorch_metric_learning.losses import ArcFaceLoss  # noqa: PLC0415

        self._full, self._scale = settings.margin, settings.scale
        self._warmup = settings.margin_warmup
        with torch.random.fork_rng(devices=[]):  # it draws centres of its own, which are not used
            self._formula = ArcFaceLoss(num_classes=1, embedding_size=1, margin=0, scale=1)

    def __call__(self, logits: Tensor, targets: Tensor, done: float) -> Tensor:
        """Return logits (B, K) with the margin taken from those of `targets` (B,).

        Args:
            logits: scale * cosine.
            targets: class numbers.
            done: share of the training that is over, in [0, 1].
        """
        share = min(1.0, done / self._warmup) if self._warmup else 1.0
        self._formula.margin = share * self._full
        true = targets.unsqueeze(1)
        cosines = (logits.gather(1, true) / self._scale).clamp(-_LARGEST_COSINE, _LARGEST_COSINE)
        margined: Tensor = self._formula.modify_cosine_of_target_classes(cosines)
        return logits.scatter(1, true, margined * self._scale)
