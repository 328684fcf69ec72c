"""How well rows are said by what else is known of them: the free columns of the manifest."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions
from transfer.scoring.intervals import Score, score_with_intervals
from transfer.scoring.metrics import guesses
from transfer.scoring.weighting import ratio

_MOST = 12  # values of a column; one with more names rows rather than kinds of them
_QUARTERS = (0.25, 0.5, 0.75)
_FEWEST = 5  # rows of a slice
_REPLICATES = 1000
_NAME = "accuracy"


class Slice(NamedTuple):
    """Some rows.

    Attributes:
        column: free column that tells them apart.
        value: what it says of them.
        rows: how many.
        right: the share of them that is said wholly right.
    """

    column: str
    value: str
    rows: int
    right: Score


def slices_of(said: Predictions, facts: pd.DataFrame) -> Iterator[Slice]:
    """Yield the slices of the rows of `said`, column by column, those said worst first.

    Numbers of more than twelve values are cut at their quartiles; other columns with more than
    twelve, and slices of under five rows, are left out.

    Args:
        said: N rows.
        facts: their free columns, (N) rows in the same order.
    """
    for column in facts.columns:
        kinds = _kinds(facts[column])
        if kinds is None:
            continue
        found = [
            Slice(str(column), str(value), int(mask.sum()), _right(said, mask))
            for value in sorted(kinds.dropna().unique(), key=str)
            if (mask := kinds.eq(value).to_numpy(dtype=bool, na_value=False)).sum() >= _FEWEST
        ]
        if len(found) > 1:
            yield from sorted(found, key=lambda each: each.right.value)


def _kinds(values: "pd.Series[Any]") -> "pd.Series[Any] | None":
    """Return what kind each row is of, as text; None where a column tells no kinds apart."""
    count = values.nunique()
    if 1 < count <= _MOST:
        return values.dropna().astype(str).reindex(values.index)
    numbers = pd.to_numeric(values, errors="coerce")
    if count <= _MOST or numbers.isna().mean() > 0.5 or numbers.nunique() <= _MOST:  # noqa: PLR2004  # half
        return None
    cuts = [-np.inf, *numbers.quantile(_QUARTERS).unique(), np.inf]
    names = [_between(low, high) for low, high in pairwise(cuts)]
    return pd.cut(numbers, cuts, labels=names).astype(object)


def _between(low: float, high: float) -> str:
    ends = [f"over {low:.4g}"] if np.isfinite(low) else []
    return ", ".join([*ends, *([f"up to {high:.4g}"] if np.isfinite(high) else [])])


def _right(said: Predictions, mask: NDArray[np.bool_]) -> Score:
    part = rows_of_said(said, mask)
    return score_with_intervals(part, _share_right, replicates=_REPLICATES)[_NAME]


def rows_of_said(said: Predictions, mask: NDArray[np.bool_]) -> Predictions:
    """Return the rows of `said` where `mask` (N,) is true."""
    return Predictions(
        classes=said.classes,
        keys=said.keys[mask],
        groups=said.groups[mask],
        targets=said.targets[mask],
        probabilities=said.probabilities[mask],
        kind=said.kind,
        thresholds=said.thresholds,
        decisions=said.decisions,
    )


def _share_right(said: Predictions, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    right = (guesses(said) == said.targets).reshape(len(said), -1).all(axis=1)
    return {_NAME: ratio(weights @ right.astype(np.float64), weights.sum(axis=1))}
