"""What a network said of pictures, before it is decided upon."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """What a network said of N pictures, before it is decided upon.

    Attributes:
        names: of the pictures, for a person.
        probabilities: (N, K) float32, nan where a picture could not be read.
        embeddings: (N, D) float32, nan likewise; None unless the target is judged by them, or they
            were asked for.
        errors: why a picture could not be read, "" where it could.
    """

    names: list[str]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None
    errors: list[str]
