"""Run a network over rows, in fp32: the one path of scoring and of prediction."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
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
        batches: plain views, or all of the same fixed one.
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


def joined(parts: Sequence[Said]) -> Said:
    """Return what was said of the parts of some rows as what was said of all of them, in order."""
    if len(parts) == 1:
        return parts[0]
    embeddings = [part.embeddings for part in parts if part.embeddings is not None]
    return Said(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate(embeddings) if embeddings else None,
    )


def mean_over_views(plain: Said, views: Iterable[Said]) -> Said:
    """Return the mean of what was said of plain pictures and of views of the same pictures.

    Probabilities are averaged, and so are embeddings, at the length they have; there are none
    unless all have them. Without views it is what was said of the plain pictures.
    """
    said = [plain, *views]
    if len(said) == 1:
        return plain
    embeddings = [each.embeddings for each in said if each.embeddings is not None]
    return Said(
        _mean([each.probabilities for each in said]),
        _mean(embeddings) if len(embeddings) == len(said) else None,
    )


def _mean(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    mean: NDArray[np.float64] = np.asarray(np.mean(arrays, axis=0, dtype=np.float64))
    return mean.astype(np.float32)
