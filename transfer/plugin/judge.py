"""What a domain judges by, beyond what its kind of target is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _nothing(predictions: Predictions) -> dict[str, float]:  # noqa: ARG001  # nothing to decide
    return {}


def _silence(predictions: Predictions) -> dict[str, str]:  # noqa: ARG001  # nothing to say
    return {}


def _nowhere(predictions: Predictions) -> dict[str, NDArray[np.bool_]]:  # noqa: ARG001  # no such score
    return {}


def _blank(predictions: Predictions) -> dict[str, Figure]:  # noqa: ARG001  # nothing to draw
    return {}


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A domain's own scores, and what belongs to them.

    All of it reads predictions that carry `decisions`, and the data's free columns as `facts`.

    Attributes:
        scores: (predictions of N rows, weights (R, N) >= 0) -> each score under each of the R
            weightings, (R,), nan where one leaves it undefined. Intervals follow by themselves.
        decide: rows that were not fitted on -> numbers by name, such as thresholds. It is asked
            about the calibration rows, else the val rows, and while training about val.
        remarks: what has to be said beside a score, by its name.
        rests_on: the rows (N,) that a score is of, by its name, where it is not all of them. Under
            20 groups among them it has no interval; and a proportion of exactly 0 or 1, which no
            resample can vary, has Wilson's on their groups.
        figures: drawings by name, kept as `figures/SPLIT_NAME.png`.
        shown: scores that the end of a run prints beside the headline.
        headline: the score that picks the best epoch where that depends on the settings, higher is
            better; None leaves it to the task.
        lower_is_better: its scores of which less is better, such as "brier"; that also means
            "patient/brier" and "brier/CLASS".
    """

    scores: Callable[[Predictions, NDArray[np.float64]], dict[str, NDArray[np.float64]]]
    decide: Callable[[Predictions], Mapping[str, float]] = _nothing
    remarks: Callable[[Predictions], Mapping[str, str]] = _silence
    rests_on: Callable[[Predictions], Mapping[str, NDArray[np.bool_]]] = _nowhere
    figures: Callable[[Predictions], Mapping[str, Figure]] = _blank
    shown: tuple[str, ...] = ()
    headline: str | None = None
    lower_is_better: frozenset[str] = frozenset()
