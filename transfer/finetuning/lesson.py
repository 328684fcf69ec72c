"""What a training is given: something to learn, a place to learn it, and what comes of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute
from transfer.finetuning.ending import Ended
from transfer.finetuning.features import FeatureCache
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.stopping import Validation
from transfer.finetuning.training import EpochLog
from transfer.network.backbone import Network
from transfer.network.objective import Loss, Objective
from transfer.pixels.batches import Batches
from transfer.progress import Progress
from transfer.samples.predictions import Said
from transfer.samples.target import Targets


@dataclass(frozen=True)
class Lesson:
    """What there is to learn from, and how it is judged.

    Attributes:
        batches: reads rows by number.
        features: of rows, by frozen backbones; those that are kept are not computed again.
        train: row numbers to learn from.
        val: row numbers that select.
        targets: of all rows, (N,) int64 or (N, K) float32.
        objective: what a head's outputs mean.
        loss: what training lowers.
        predict: (network, row numbers) -> what it says of them, by the scoring path.
        score: what was said of the val rows -> scores by name.
        headline: which score picks the best weights.
        by_embeddings: it is judged by embeddings; else nobody needs those of the val rows.
    """

    batches: Batches
    features: FeatureCache
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    targets: Targets
    objective: Objective
    loss: Loss
    predict: Callable[[Network, NDArray[np.int64]], Said]
    score: Callable[[Said], dict[str, float]]
    headline: str
    by_embeddings: bool = False

    def validation(self, said: Said) -> Validation:
        """Return what was said of the val rows together with its scores."""
        return Validation(said, self.score(said))


@dataclass(frozen=True)
class Host:
    """What a training gets from where it runs.

    Attributes:
        compute: device and precision.
        progress: told of everything that takes time.
        on_epoch: hears of each epoch, once it cannot be lost.
        checkpoints: of this run.
        interruption: holds Ctrl-C and SIGTERM back where they would do harm.
        decide: keeps a setting that was found by trial, by its name, so that a run that goes on
            does not try again.
    """

    compute: Compute
    progress: Progress
    on_epoch: Callable[[EpochLog], None]
    checkpoints: Checkpoints
    interruption: Interruption
    decide: Callable[[str, float], None]


@dataclass(frozen=True)
class Learned:
    """What came of it; the network itself holds the best weights.

    Attributes:
        ended: how training ended.
        epoch: whose weights were kept; 0 is the probe.
        val: what they said on the val rows.
    """

    ended: Ended
    epoch: int
    val: Validation
