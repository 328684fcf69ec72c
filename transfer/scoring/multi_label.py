"""Scores of labels of which a row has any number."""

import numpy as np
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions
from transfer.scoring.classes import ClassTotals, by_class, scores_of_classes
from transfer.scoring.decisions import above_thresholds
from transfer.scoring.ranking import average_precision, rank_measures, roc_area
from transfer.scoring.weighting import clip_probabilities, mean_of_defined, ratio


def multi_label_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return macro and micro average precision, macro ROC area, macro F1 and log loss, each (R,).

    Weighted and unweighted they are scikit-learn's, with these choices: macro average precision is
    the mean over the labels that some weighted row has, macro ROC area over those that some has
    and some has not; micro takes all pairs of a row and a label together; macro F1, at the
    thresholds of the predictions, is the mean over the labels that have weight among the rows or
    the guesses; the log loss is the mean over all pairs, probabilities clipped at the float32
    epsilon.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
    """
    precision, area = _ranking_scores(predictions, weights)
    truth = predictions.targets > 0
    (micro,) = rank_measures(predictions.probabilities, truth, weights, average_precision)
    sums = _label_totals(predictions, weights)
    return {
        "macro_ap": mean_of_defined(precision),
        "micro_ap": micro,
        "macro_auroc": mean_of_defined(area),
        "macro_f1": mean_of_defined(ratio(2 * sums.hits, sums.targets + sums.guesses)),
        "log_loss": ratio(weights @ _log_losses(predictions), weights.sum(axis=1)),
    }


def multi_label_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `ap/LABEL`, `auroc/LABEL`, and precision, recall and F1 at the thresholds, (R,).

    See `multi_label_scores` for labels without rows, and `scores_of_classes`.
    """
    precision, area = _ranking_scores(predictions, weights)
    guesses = above_thresholds(predictions.probabilities, predictions.thresholds)
    guessed: NDArray[np.bool_] = np.asarray((guesses > 0).any(axis=0))
    sums = _label_totals(predictions, weights)
    at_thresholds = scores_of_classes(sums, guessed, predictions.classes)
    return by_class({"ap": precision, "auroc": area}, predictions.classes) | at_thresholds


def multi_label_sureness(
    predictions: Predictions,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each label in each row, and 1 where it has it: (N, K) both."""
    return predictions.probabilities.astype(np.float64), predictions.targets.astype(np.float64)


def multi_label_remarks(predictions: Predictions) -> dict[str, str]:
    """Return what has to be said beside a score: where thresholds come from, what is left out."""
    thresholds = predictions.thresholds
    origin = "of 0.5" if thresholds is None else f"fitted on {thresholds.fitted_on}"
    remarks = {"macro_f1": f"thresholds {origin}"}
    absent = int((predictions.targets.sum(axis=0) == 0).sum())
    if absent:
        remarks["macro_ap"] = f"{absent} label(s) without rows left out"
    return remarks


def _ranking_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return average precision and ROC area of each label, (R, K) both."""
    each = zip(predictions.probabilities.T, predictions.targets.T > 0, strict=True)
    columns = [rank_measures(p, y, weights, average_precision, roc_area) for p, y in each]
    precision, area = (np.column_stack(scores) for scores in zip(*columns, strict=True))
    return precision, area


def _label_totals(predictions: Predictions, weights: NDArray[np.float64]) -> ClassTotals:
    truth = predictions.targets.astype(np.float64)
    guesses = above_thresholds(predictions.probabilities, predictions.thresholds)
    said = guesses.astype(np.float64)
    return ClassTotals(weights @ truth, weights @ said, weights @ (truth * said))


def _log_losses(predictions: Predictions) -> NDArray[np.float64]:
    probabilities = clip_probabilities(predictions.probabilities)
    given = np.where(predictions.targets > 0, probabilities, 1 - probabilities)
    losses: NDArray[np.float64] = -np.log(given).mean(axis=1)
    return losses
