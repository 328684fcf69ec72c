"""Loss and probabilities for each kind of target: one table."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from transfer.samples.target import TargetKind


@dataclass(frozen=True)
class Objective:
    """What training lowers and what a head's outputs mean.

    Attributes:
        loss: logits (B, K), targets (B,), label smoothing in [0, 1) -> mean loss, a scalar.
        probabilities: logits (B, K) -> probabilities (B, K).
    """

    loss: Callable[[Tensor, Tensor, float], Tensor]
    probabilities: Callable[[Tensor], Tensor]


def _cross_entropy(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def _softmax(logits: Tensor) -> Tensor:
    return logits.softmax(dim=1)


OBJECTIVES = {TargetKind.SINGLE_LABEL: Objective(_cross_entropy, _softmax)}
