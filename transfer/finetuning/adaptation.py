"""Batch statistics of a new domain for an old network."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network
from transfer.pixels.batches import Batch
from transfer.processes import Processes


def adapt_statistics(network: Network, batches: Iterable[Batch], compute: Compute) -> None:
    """Replace the running statistics of batch norm by those of `batches`; no weight moves.

    Pictures of another domain have other means and variances at every layer: a network that keeps
    the old ones sees the new pictures through a wrong lens, and its features change at the first
    step of training, which uses those of the batch
    (Li et al. 2018, doi:10.1016/j.patcog.2018.03.005).

    Args:
        network: its running statistics are changed in place; it is left in eval mode.
        batches: rows in random order; each batch counts alike. Of several processes each has
            batches of its own, and all end with the statistics of all.
        compute: device, precision and processes.
    """
    norms = [module for module in network.backbone.modules() if isinstance(module, _BatchNorm)]
    if not norms:  # a network of another kind has nothing to adapt
        return
    network.eval()
    with _gathering(norms), torch.inference_mode(), compute.autocast():
        seen = 0
        for batch in batches:
            network.embed(compute.move(batch.pixels))
            seen += 1
        _average(norms, seen, compute.processes)


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


def _average(norms: list[_BatchNorm], batches: int, processes: Processes) -> None:
    """Give `norms`, which saw so many batches here, the mean over those of all processes."""
    # What a layer sees of a batch depends on that batch alone, so the means of parts add up.
    share = batches / processes.total(batches)
    moments = _present(
        [moment for norm in norms for moment in (norm.running_mean, norm.running_var)]
    )
    for moment in moments:
        moment.mul_(share)
    processes.total(0, [*moments, *_present([norm.num_batches_tracked for norm in norms])])


def _present(tensors: list[Tensor | None]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]
