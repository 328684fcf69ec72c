"""What a network said, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.samples.target import TargetKind, Targets


class Said(NamedTuple):
    """What a network said of n rows, before it is known what is true of them.

    Attributes:
        probabilities: (n, K) float32.
        embeddings: pooled features (n, D) float32, where the kind of target is judged by them.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a label is said.

    Attributes:
        values: one for each of the K labels, in the order of the classes.
        fitted_on: the split whose rows they were fitted on; scores of its rows profit from that.
    """

    values: tuple[float, ...]
    fitted_on: str


@dataclass(frozen=True)
class Decisions:
    """Numbers that a domain decides by, such as the threshold of a sensitivity.

    Attributes:
        by_name: each number.
        fitted_on: the split whose rows they were made on; scores of its rows profit from that.
    """

    by_name: Mapping[str, float]
    fitted_on: str


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers for N rows over K classes, in numpy so that scoring needs no network.

    Attributes:
        classes: the K class names, in the order of the columns of `probabilities`.
        keys: row keys of the manifest, (N,) str.
        groups: group numbers, (N,) int64; rows of one group are resampled together.
        targets: true class numbers or ranks, (N,) int64; of a multi label target (N, K) float32 of
            0 and 1.
        probabilities: (N, K) float32; each row sums to 1, unless the target is multi label.
        kind: of the target.
        embeddings: pooled features (N, D) float32; only an identity is judged by them.
        thresholds: of a multi label target; None says a label from 0.5 on.
        decisions: of the domain, where it makes any.
        facts: the free columns of the manifest, (N, ...); None where they are not known.
    """

    classes: tuple[str, ...]
    keys: NDArray[np.str_]
    groups: NDArray[np.int64]
    targets: Targets
    probabilities: NDArray[np.float32]
    kind: TargetKind = TargetKind.SINGLE_LABEL
    embeddings: NDArray[np.float32] | None = None
    thresholds: Thresholds | None = None
    decisions: Decisions | None = None
    facts: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.targets)
