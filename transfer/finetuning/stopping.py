"""Has the headline score stopped improving? Keeps the weights of when it was best."""

import copy
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from transfer.errors import TrainingError


class Validation(NamedTuple):
    """What a network said about the val rows: probabilities (n, K), and scores by name."""

    probabilities: NDArray[np.float32]
    scores: dict[str, float]


class Best:
    """The best weights so far, by the headline on val; the first of equals is kept.

    Attributes:
        epoch: when they were reached; 0 is the probe, -1 before the first.
        validation: what they said on val; None before the first.
    """

    def __init__(self, headline: str, patience: int) -> None:
        self.epoch = -1
        self.validation: Validation | None = None
        self._headline, self._patience = headline, patience
        self._weights: dict[str, Tensor] = {}

    def offer(self, network: nn.Module, validation: Validation, epoch: int) -> bool:
        """Keep the weights of `network` if its headline is the best so far; say if it was."""
        if self.validation is not None and self._rank(validation) <= self._rank(self.validation):
            return False
        self.epoch, self.validation = epoch, validation
        self._weights = copy.deepcopy(network.state_dict())
        return True

    def _rank(self, validation: Validation) -> float:
        score = validation.scores[self._headline]
        return -math.inf if math.isnan(score) else score  # no number is better than none

    def is_stale(self, epoch: int) -> bool:
        """Say whether `patience` epochs have passed without a better one; patience 0 never ends."""
        return 0 < self._patience <= epoch - max(self.epoch, 0)

    def restore(self, network: nn.Module) -> Validation:
        """Put the best weights back into `network` and return what they said on val.

        Raises:
            TrainingError: nothing was ever scored.
        """
        if self.validation is None:
            raise TrainingError("no epoch was finished, so there are no weights to keep")
        network.load_state_dict(self._weights)
        return self.validation
