"""What a network is asked to predict, and how labels become arrays."""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class TargetKind(StrEnum):
    """How labels are read, which loss is used and which scores make sense."""

    SINGLE_LABEL = "single_label"
    MULTI_LABEL = "multi_label"
    ORDINAL = "ordinal"
    IDENTITY = "identity"


def encode_labels(
    kind: TargetKind, labels: Sequence[str], classes: Sequence[str]
) -> NDArray[np.int64]:
    """Return the targets of `labels`: class numbers (N,) int64."""
    return _ENCODERS[kind](labels, classes)


def _class_numbers(labels: Sequence[str], classes: Sequence[str]) -> NDArray[np.int64]:
    number_of = {name: number for number, name in enumerate(classes)}
    return np.fromiter((number_of[label] for label in labels), dtype=np.int64, count=len(labels))


_ENCODERS = {TargetKind.SINGLE_LABEL: _class_numbers}
