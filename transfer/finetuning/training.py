"""What the epoch loop is given, and what it tells of an epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from transfer.finetuning.stopping import Validation
from transfer.network.backbone import Network
from transfer.pixels.batches import Batch


@dataclass(frozen=True)
class EpochLog:
    """What one pass over the training rows did.

    Attributes:
        epoch: 1..epochs; 0 is the probe.
        loss: mean training loss.
        lr: learning rate of the head in the last step; 0 for the probe.
        rows_per_second: read and computed on, scoring left out; 0 where all features were kept.
        scores: on val, by name.
        improved: the best so far.
    """

    epoch: int
    loss: float
    lr: float
    rows_per_second: float
    scores: dict[str, float]
    improved: bool


@dataclass(frozen=True)
class Training:
    """What the loop needs besides a network; each is given by the stage that owns it.

    Attributes:
        batches: (epoch, number of its first batch) -> training batches.
        rows: how many rows an epoch has, for all processes together.
        batches_per_epoch: into how many batches they are divided.
        loss: logits, targets, share of the training that is over -> mean loss, a scalar.
        prepare: (network, epoch) sets what trains in it, batch statistics included.
        validate: network -> what it says on val; leaves it in eval mode.
        on_epoch: hears of each epoch, once it is in a checkpoint; may raise `Stopped`.
    """

    batches: Callable[[int, int], Iterator[Batch]]
    rows: int
    batches_per_epoch: int
    loss: Callable[[Tensor, Tensor, float], Tensor]
    prepare: Callable[[Network, int], None]
    validate: Callable[[Network], Validation]
    on_epoch: Callable[[EpochLog], None]
