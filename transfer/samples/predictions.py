"""What a network said, row by row."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for N rows over K classes, in numpy so that scoring needs no network.

    Attributes:
        classes: the K class names, in the order of the columns of `probabilities`.
        keys: row keys of the manifest, (N,) str.
        groups: group numbers, (N,) int64; rows of one group are resampled together.
        targets: true class numbers, (N,) int64.
        probabilities: (N, K) float32, each row sums to 1.
    """

    classes: tuple[str, ...]
    keys: NDArray[np.str_]
    groups: NDArray[np.int64]
    targets: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.targets)
