"""Batch statistics of a new domain for an old network."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network
from transfer.pixels.batches import Batch


def adapt_statistics(network: Network, batches: Iterable[Batch], compute: Compute) -> None:
    """Replace the running statistics of batch norm by those of `batches`; no weight moves.

    Pictures of another domain have other means and variances at every layer: a network that keeps
    the old ones sees the new pictures through a wrong lens, and its features change at the first
    step of training, which uses those of the batch
    (Li et al. 2018, doi:10.1016/j.patcog.2018.03.005).

    Args:
        network: its running statistics are changed in place; it is left in eval mode.
        batches: rows in random order; each batch counts alike.
        compute: device and precision.
    """
    norms = [module for module in network.backbone.modules() if isinstance(module, _BatchNorm)]
    if not norms:  # a network of another kind has nothing to adapt
        return
    network.eval()
    with _gathering(norms), torch.inference_mode(), compute.autocast():
        for batch in batches:
            network.embed(compute.move(batch.pixels))


@contextmanager
def _gathering(norms: list[_BatchNorm]) -> Iterator[None]:
    """Let `norms` average over all batches instead of following the latest ones."""
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain average
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
