"""Run a network over rows, in fp32: the one path of scoring and of prediction."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from transfer.network.backbone import Network
from transfer.pixels.batches import Batch


@torch.inference_mode()
def predict_rows(
    network: nn.Module,
    batches: Iterable[Batch],
    to_probabilities: Callable[[Tensor], Tensor],
    device: torch.device,
    on_batch: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """Return probabilities (N, K) in the order of the batches; leaves the network in eval mode.

    `on_batch` is told the number of rows after each batch.
    """
    network.eval()
    parts = []
    for batch in batches:
        logits = network(batch.pixels.to(device, non_blocking=True)).float()
        parts.append(to_probabilities(logits).cpu().numpy())
        if on_batch is not None:
            on_batch(len(batch.numbers))
    return np.concatenate(parts)


@torch.inference_mode()
def predict_and_embed_rows(
    network: Network,
    batches: Iterable[Batch],
    to_probabilities: Callable[[Tensor], Tensor],
    device: torch.device,
    on_batch: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what `predict_rows` does, and the pooled features (N, D) it rests on, in one pass."""
    network.eval()
    parts, features = [], []
    for batch in batches:
        embedded = network.embed(batch.pixels.to(device, non_blocking=True)).float()
        parts.append(to_probabilities(network.head(embedded).float()).cpu().numpy())
        features.append(embedded.cpu().numpy())
        if on_batch is not None:
            on_batch(len(batch.numbers))
    return np.concatenate(parts), np.concatenate(features)
