"""Has the headline score stopped improving? Keeps the weights of when it was best."""

import copy
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from transfer.errors import TrainingError
from transfer.samples.predictions import Said


class Validation(NamedTuple):
    """What a network said about the val rows, and its scores by name."""

    said: Said
    scores: dict[str, float]

    @property
    def is_finite(self) -> bool:
        """Say whether all it said is numbers: scores of ranks come out well even where none is."""
        return bool(np.isfinite(self.said.probabilities).all())


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
        if self.validation is not None and self.rank(validation) <= self.rank(self.validation):
            return False
        self.epoch, self.validation = epoch, validation
        self._weights = copy.deepcopy(network.state_dict())
        return True

    def rank(self, validation: Validation) -> float:
        """Return the headline, higher is better."""
        score = validation.scores[self._headline]
        return -math.inf if math.isnan(score) else score  # no number is better than none

    def is_stale(self, epoch: int) -> bool:
        """Say whether `patience` epochs have passed without a better one; patience 0 never ends."""
        return 0 < self._patience <= epoch - max(self.epoch, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of it."""
        known = self.validation
        return {
            "epoch": self.epoch,
            "weights": self._weights,
            "said": None if known is None else [_as_tensor(array) for array in known.said],
            "scores": None if known is None else known.scores,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.epoch, self._weights = state["epoch"], state["weights"]
        if state["said"] is not None:
            probabilities, embeddings = state["said"]
            vectors = None if embeddings is None else embeddings.numpy()
            self.validation = Validation(Said(probabilities.numpy(), vectors), state["scores"])

    def restore(self, network: nn.Module) -> Validation:
        """Put the best weights back into `network` and return what they said on val.

        Raises:
            TrainingError: nothing was ever scored.
        """
        if self.validation is None:
            raise TrainingError("no epoch was finished, so there are no weights to keep")
        network.load_state_dict(self._weights)
        return self.validation


def _as_tensor(array: NDArray[np.float32] | None) -> Tensor | None:
    return None if array is None else torch.from_numpy(array)
