"""How answers are judged: one table, kind of target -> scores, what is said, what is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions, Thresholds
from transfer.samples.target import TargetKind, Targets
from transfer.scoring.calibration import expected_calibration_error, reliability_bins
from transfer.scoring.classes import FAMILIES
from transfer.scoring.decisions import (
    above_thresholds,
    fit_thresholds,
    median_grade,
    most_probable,
)
from transfer.scoring.identity import identity_class_scores, identity_remarks, identity_scores
from transfer.scoring.multi_label import (
    multi_label_class_scores,
    multi_label_remarks,
    multi_label_scores,
    multi_label_sureness,
)
from transfer.scoring.ordinal import ordinal_class_scores, ordinal_scores, ordinal_sureness
from transfer.scoring.single_label import (
    single_label_class_scores,
    single_label_scores,
    single_label_sureness,
)
from transfer.scoring.weighting import Scorer

LOWER_IS_BETTER = frozenset({"log_loss", "ece", "mean_absolute_error", "eer"})
"""Every other score is better when higher."""


def _no_remarks(predictions: Predictions) -> dict[str, str]:  # noqa: ARG001  # nothing to add
    return {}


@dataclass(frozen=True)
class Scorecard:
    """How answers to one kind of target are judged.

    Attributes:
        headline: the score that selects, where a task names none.
        scores: of all rows.
        class_scores: of each class, as `FAMILY/CLASS`.
        families: of `class_scores`, in the order of a table.
        decide: probabilities (N, K), thresholds -> what is said, in the form of the targets.
        sureness: how probable the network held what, and 1 where that was so, else 0.
        confusable: of few classes, one in each row, one can be taken for another.
        by_embeddings: it is judged by embeddings.
        fit: rows, the name of their split -> thresholds; None where there are none to fit.
        remarks: what has to be said beside a score, by its name.
    """

    headline: str
    scores: Scorer
    class_scores: Scorer
    families: tuple[str, ...]
    decide: Callable[[NDArray[np.float32], Thresholds | None], Targets]
    sureness: Callable[[Predictions], tuple[NDArray[np.float64], NDArray[np.float64]]]
    confusable: bool = True
    by_embeddings: bool = False
    fit: Callable[[Predictions, str], Thresholds] | None = None
    remarks: Callable[[Predictions], Mapping[str, str]] = _no_remarks


SCORECARDS = {
    TargetKind.SINGLE_LABEL: Scorecard(
        headline="balanced_accuracy",
        scores=single_label_scores,
        class_scores=single_label_class_scores,
        families=FAMILIES,
        decide=most_probable,
        sureness=single_label_sureness,
    ),
    TargetKind.MULTI_LABEL: Scorecard(
        headline="macro_ap",
        scores=multi_label_scores,
        class_scores=multi_label_class_scores,
        families=("ap", "auroc", *FAMILIES),
        decide=above_thresholds,
        sureness=multi_label_sureness,
        confusable=False,
        fit=fit_thresholds,
        remarks=multi_label_remarks,
    ),
    TargetKind.ORDINAL: Scorecard(
        headline="quadratic_kappa",
        scores=ordinal_scores,
        class_scores=ordinal_class_scores,
        families=FAMILIES,
        decide=median_grade,
        sureness=ordinal_sureness,
    ),
    TargetKind.IDENTITY: Scorecard(
        headline="rank_1",
        scores=identity_scores,
        class_scores=identity_class_scores,
        families=("rank_1",),
        decide=most_probable,
        sureness=single_label_sureness,
        confusable=False,
        by_embeddings=True,
        remarks=identity_remarks,
    ),
}


def per_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `FAMILY/CLASS` of every class, each (R,); the families are those of the scorecard."""
    return SCORECARDS[predictions.kind].class_scores(predictions, weights)


def point_scores(predictions: Predictions, scorer: Scorer) -> dict[str, float]:
    """Return the scores of the rows as they are, each row counted once.

    A scorer that judges probabilities (it has a `log_loss`) is joined by "ece", the expected
    calibration error over `CALIBRATION_BINS` bins (Guo et al. 2017, arXiv:1706.04599).
    """
    scores = scorer(predictions, np.ones((1, len(predictions))))
    points = {name: float(values[0]) for name, values in scores.items()}
    if "log_loss" in points:
        points["ece"] = expected_calibration_error(reliability(predictions))
    return points


def guesses(predictions: Predictions) -> Targets:
    """Return what is said of each row, in the form of the targets.

    It is the most probable class of a single label and of an identity, the median grade of an
    ordinal target, and the labels over their thresholds of a multi label target.
    """
    decide = SCORECARDS[predictions.kind].decide
    return decide(predictions.probabilities, predictions.thresholds)


def reliability(predictions: Predictions) -> pd.DataFrame:
    """Return how right the guesses are where the network is how sure; see `reliability_bins`.

    Of a multi label target every pair of a row and a label counts: how often the label is there.
    """
    return reliability_bins(*SCORECARDS[predictions.kind].sureness(predictions))


def confusion(predictions: Predictions) -> NDArray[np.int64]:
    """Return how many rows of class i (down) are guessed as class j (across): (K, K) int64."""
    count = len(predictions.classes)
    cells = predictions.targets * count + guesses(predictions)
    return np.bincount(cells, minlength=count**2).reshape(count, count).astype(np.int64)


def mistakes(predictions: Predictions) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers (M,) of the rows that are said wrong, the surest of them first.

    The second array (M,) tells how far the probability was from the truth, in [0, 1]; of several
    labels, at the worst of them.
    """
    confidence, right = SCORECARDS[predictions.kind].sureness(predictions)
    error = np.abs(right - confidence).reshape(len(predictions), -1).max(axis=1)
    differs = (guesses(predictions) != predictions.targets).reshape(len(predictions), -1)
    wrong = np.flatnonzero(differs.any(axis=1))
    wrong = wrong[np.argsort(-error[wrong], kind="stable")]
    return wrong, error[wrong]
