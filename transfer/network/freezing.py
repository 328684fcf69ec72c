"""What trains and what does not, batch statistics included: the one place that decides it."""

from enum import StrEnum

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.network.backbone import Network

SMALL_BATCH = 16


class BatchStatistics(StrEnum):
    """Whether batch norm of a trained backbone uses and moves its running statistics."""

    FROZEN = "frozen"
    UPDATED = "updated"


def statistics_for(wish: str, rows_per_step: int) -> BatchStatistics:
    """Return the wish, or for "auto" frozen statistics where a step has under 16 rows.

    The mean and variance of so few rows are too noisy to normalize by (Wu & He 2018).
    """
    if wish != "auto":
        return BatchStatistics(wish)
    return BatchStatistics.FROZEN if rows_per_step < SMALL_BATCH else BatchStatistics.UPDATED


def freeze_backbone(network: Network) -> None:
    """Put the backbone of `network` to rest: no gradients, no dropout, no moving statistics.

    `requires_grad = False` alone is not enough: in training mode batch norm keeps moving.
    """
    network.backbone.requires_grad_(requires_grad=False).eval()
    network.head.requires_grad_(requires_grad=True).train()


def train_all(network: Network, statistics: BatchStatistics) -> None:
    """Let every weight of `network` train; call it before each epoch in place of `.train()`."""
    network.requires_grad_(requires_grad=True).train()
    if statistics is BatchStatistics.FROZEN:
        for module in network.modules():
            if _keeps_statistics(module):
                module.eval()


def _keeps_statistics(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm)
