"""Run a network over rows, in fp32: the one path of scoring and of prediction."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from transfer.network.backbone import Network
from transfer.pixels.batches import Batch
from transfer.samples.predictions import Said


@torch.inference_mode()
def predict_rows(
    network: Network,
    batches: Iterable[Batch],
    to_probabilities: Callable[[Tensor], Tensor],
    *,
    embeddings: bool = False,
    on_batch: Callable[[int], None] = lambda _: None,
) -> Said:
    """Return what `network` says in the order of the batches; leaves it in eval mode.

    Args:
        network: runs where its weights are.
        batches: plain views.
        to_probabilities: logits -> (B, K).
        embeddings: keep the pooled features as well.
        on_batch: told the number of rows after each batch.
    """
    network.eval()
    said, features = [], []
    for batch in batches:
        pooled = network.embed(batch.pixels.to(network.mean.device, non_blocking=True))
        said.append(to_probabilities(network.head(pooled).float()).cpu().numpy())
        if embeddings:
            features.append(pooled.float().cpu().numpy())
        on_batch(len(batch.numbers))
    return Said(np.concatenate(said), np.concatenate(features) if embeddings else None)
