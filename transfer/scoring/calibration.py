"""Does a network know how sure it may be?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.scoring.weighting import ratio

CALIBRATION_BINS = 15
"""Bins of equal width over the confidence, in (low, high], as in Guo et al. 2017."""


def reliability_bins(confidence: NDArray[np.float64], right: NDArray[np.float64]) -> pd.DataFrame:
    """Return how often the network is right where it is how sure, one row per bin.

    Args:
        confidence: in [0, 1], of any shape.
        right: 1 where it was right, else 0, of the same shape.

    Returns:
        Columns `low` and `high`, the bin (low, high] of confidence; `rows`, how many fall into it;
        `confidence` and `accuracy`, their means, nan in an empty bin.
    """
    confidence, right = confidence.ravel(), right.ravel()
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    bins = np.digitize(confidence, edges[1:-1], right=True)
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "rows": rows,
            "confidence": ratio(np.bincount(bins, confidence, CALIBRATION_BINS), rows),
            "accuracy": ratio(np.bincount(bins, right, CALIBRATION_BINS), rows),
        }
    )


def expected_calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean gap between confidence and accuracy (Guo et al. 2017, arXiv:1706.04599)."""
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return float((gaps * bins["rows"]).sum() / bins["rows"].sum())
