"""Scores of grades: a guess one grade off is a smaller mistake than one three grades off."""

import numpy as np
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions
from transfer.scoring.classes import class_totals
from transfer.scoring.decisions import median_grade
from transfer.scoring.single_label import log_losses, scores_of_guesses, sureness_of
from transfer.scoring.weighting import ratio


def ordinal_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return quadratic kappa, accuracy, balanced accuracy, mean absolute error, log loss, (R,).

    Quadratic kappa (Cohen 1968, doi:10.1037/h0026256) weighs a disagreement by the square of its
    distance in ranks; it is 0 where all rows are of one grade and guessed as it. The mean absolute
    error is in ranks: neighbouring grades are 1 apart, whatever numbers they are called by.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
    """
    guesses, truth = median_grade(predictions.probabilities), predictions.targets
    sums = class_totals(truth, guesses, len(predictions.classes), weights)
    recall = ratio(sums.hits, sums.targets, undefined=0.0)
    weight = sums.targets.sum(axis=1)
    ranks = np.arange(len(predictions.classes), dtype=np.float64)
    squared = weights @ ((truth - guesses) ** 2).astype(np.float64)
    # Sums over all pairs of a true grade and a guess, from the moments of both.
    means = (sums.targets @ ranks) * (sums.guesses @ ranks)
    by_chance = (sums.targets + sums.guesses) @ ranks**2 * weight - 2 * means
    alone = len(np.union1d(truth, guesses)) == 1
    return {
        "quadratic_kappa": 1 - ratio(squared * weight, by_chance, 1.0 if alone else np.nan),
        "accuracy": ratio(sums.hits.sum(axis=1), weight),
        "balanced_accuracy": ratio(recall.sum(axis=1), (sums.targets > 0).sum(axis=1)),
        "mean_absolute_error": ratio(weights @ np.abs(truth - guesses).astype(np.float64), weight),
        "log_loss": ratio(weights @ log_losses(predictions), weight),
    }


def ordinal_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `precision/GRADE`, `recall/GRADE` and `f1/GRADE`, see `scores_of_classes`."""
    return scores_of_guesses(predictions, median_grade(predictions.probabilities), weights)


def ordinal_sureness(
    predictions: Predictions,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each row's guess (N,), and whether the guess is right (N,)."""
    return sureness_of(predictions, median_grade(predictions.probabilities))
