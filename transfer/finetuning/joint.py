"""What one step of several processes needs besides those of one; of one process it is nothing."""

import numpy as np
import timm.layers
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from transfer.errors import RecipeError
from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network
from transfer.network.freezing import BatchStatistics
from transfer.processes import Processes


def add_up(network: nn.Module, loss: float, processes: Processes) -> float:
    """Return the sum of `loss`; add up the gradients that led to it, in place.

    Each process comes with the part that its rows have in the mean of the step, so that the sums
    are the loss and the gradients of all rows, however unevenly they are shared. It is one sum over
    all weights, behind the backward pass: DistributedDataParallel sends while it still computes,
    but has to be told of all that is frozen, unused or accumulated, and weighs processes, not rows.

    Running statistics of batch norm that move become the mean over the processes. They are not used
    in a step, so that any time before they are read would do; but at every step each checkpoint and
    each average of the weights is one that all processes agree on, and those of the first process
    alone would know fewer rows.
    """
    if processes.share.size == 1:
        return loss
    gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
    moments = [
        moment
        for norm in network.modules()
        if isinstance(norm, _BatchNorm) and norm.training
        for moment in (norm.running_mean, norm.running_var)
        if moment is not None
    ]
    for moment in moments:
        moment.div_(processes.share.size)
    return processes.total(loss, [*gradients, *moments])


def rows_of_a_mean(rows: int, compute: Compute) -> int:
    """Return over how many of `rows` rows of a step batch norm takes its means.

    On cards those of all processes, see `synchronize`; on CPUs, for which torch has no such layer,
    those of one process.

    Raises:
        RecipeError: a process would have no rows.
    """
    size = compute.processes.share.size
    if rows < size:
        raise RecipeError(
            f"a step has {rows} row(s), too few for {size} processes; "
            f"take a larger --batch-size, which counts the rows of all of them, or fewer processes"
        )
    return rows if compute.device.type == "cuda" else rows // size


def synchronize(network: Network, statistics: BatchStatistics, compute: Compute) -> bool:
    """Let batch norm on several cards take its means over the rows of all; say if it does.

    Args:
        network: changed in place; names, weights and scores stay as they are.
        statistics: frozen ones need nothing.
        compute: device and processes.
    """
    several = compute.processes.share.size > 1 and compute.device.type == "cuda"
    if not several or statistics is BatchStatistics.FROZEN:
        return False
    network.backbone = timm.layers.convert_sync_batchnorm(network.backbone)
    return True


def start_alike(network: Network, seed: int, processes: Processes) -> None:
    """Give `network` the weights that it has in the first process, and each its random numbers.

    Those are for dropout: other rows, other gaps. The first goes on as one process alone would.
    """
    processes.align([*network.state_dict().values()])
    rank = processes.share.rank
    if rank:
        (drawn,) = np.random.SeedSequence((seed, rank)).generate_state(1, np.uint64).tolist()
        torch.manual_seed(drawn)
