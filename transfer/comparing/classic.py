"""Two tests with names, for rows that are independent of each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, rankdata

from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind

_BINARY = {TargetKind.SINGLE_LABEL: 2, TargetKind.MULTI_LABEL: 1}
"""How many classes there are where there is one thing to find, the last of them."""


@dataclass(frozen=True)
class NamedTest:
    """One test of two networks.

    Attributes:
        name: with its source, for a person.
        says: what was compared, in words.
        p: two-sided.
    """

    name: str
    says: str
    p: float


def classic_tests(
    first: Predictions,
    second: Predictions,
    first_right: NDArray[np.bool_],
    second_right: NDArray[np.bool_],
) -> tuple[NamedTest, ...]:
    """Return McNemar's test, and DeLong's for two classes; none where rows share a group.

    Rows of one group tend to be right and wrong together, which neither of them knows about.

    Args:
        first: N rows.
        second: about the same rows.
        first_right: (N,), which of them the first says right.
        second_right: (N,), likewise.
    """
    if len(np.unique(first.groups)) < len(first):
        return ()
    tests = [mcnemar(first_right, second_right)]
    if first.kind in _BINARY and len(first.classes) == _BINARY[first.kind]:
        truth = first.targets.reshape(len(first), -1)[:, -1] > 0
        if 0 < truth.sum() < len(truth):
            scores = (said.probabilities[:, -1].astype(np.float64) for said in (first, second))
            tests.append(delong(truth, *scores))
    return tuple(tests)


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> NamedTest:
    """Return McNemar's exact test: of the rows that only one gets right, half would be each's.

    McNemar 1947, doi:10.1007/BF02295996.
    """
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    p = binomtest(only_first, only_first + only_second).pvalue if only_first + only_second else 1.0
    return NamedTest(
        "McNemar (exact)", f"{only_first} against {only_second} rows right alone", float(p)
    )


def delong(
    truth: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64]
) -> NamedTest:
    """Return DeLong's test of two areas under the ROC of the same rows.

    DeLong, DeLong and Clarke-Pearson 1988, doi:10.2307/2531595, by midranks (Sun and Xu 2014,
    doi:10.1109/LSP.2014.2337313).

    Args:
        truth: (N,), both kinds occur.
        first: (N,), higher is more likely true.
        second: (N,), likewise.
    """
    scores = np.stack([first, second])
    positives = _placements(scores[:, truth], scores[:, ~truth])
    negatives = 1 - _placements(scores[:, ~truth], scores[:, truth])
    areas = positives.mean(axis=1)
    variance = sum(
        float((part[1] - part[0]).var(ddof=1)) / part.shape[1] if part.shape[1] > 1 else 0.0
        for part in (positives, negatives)
    )
    gap = float(areas[1] - areas[0])
    p = float(2 * norm.sf(abs(gap) / np.sqrt(variance))) if variance > 0 else float(gap == 0)
    return NamedTest("DeLong (AUROC)", f"{areas[0]:.4f} and {areas[1]:.4f}", p)


def _placements(of: NDArray[np.float64], among: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return which share of `among` (2, M) lies below each of `of` (2, P), ties half: (2, P)."""
    both = np.concatenate([of, among], axis=1)
    count = of.shape[1]
    ranks = rankdata(both, axis=1)[:, :count] - rankdata(of, axis=1)
    shares: NDArray[np.float64] = ranks / among.shape[1]
    return shares
