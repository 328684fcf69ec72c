"""Scores of classes that exclude each other."""

import numpy as np
from numpy.typing import NDArray

from transfer.samples.predictions import Predictions
from transfer.samples.target import Targets
from transfer.scoring.classes import class_totals, scores_of_classes
from transfer.scoring.decisions import most_probable
from transfer.scoring.weighting import clip_probabilities, mean_of_defined, ratio


def single_label_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return accuracy, balanced accuracy, macro F1, kappa and log loss, each (R,).

    Weighted and unweighted they are scikit-learn's, with these choices: balanced accuracy is the
    mean recall of the classes that have weight; macro F1 is the mean over the classes that have
    weight among the rows or the guesses, so that a class which a resample misses is left out of it
    as well (scikit-learn counts it as 0 where its rows are there with weight 0); kappa (Cohen 1960,
    doi:10.1177/001316446002000104) is 0, no agreement beyond chance, where all rows are of one
    class and guessed as it; probabilities in the log loss are clipped at the float32 epsilon.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
    """
    guesses = most_probable(predictions.probabilities)
    sums = class_totals(predictions.targets, guesses, len(predictions.classes), weights)
    alone = len(np.union1d(predictions.targets, guesses)) == 1
    all_weight, right = sums.targets.sum(axis=1), sums.hits.sum(axis=1)
    by_chance = (sums.targets * sums.guesses).sum(axis=1)
    return {
        "accuracy": ratio(right, all_weight),
        "balanced_accuracy": mean_of_defined(ratio(sums.hits, sums.targets)),
        "macro_f1": mean_of_defined(ratio(2 * sums.hits, sums.targets + sums.guesses)),
        "kappa": ratio(
            all_weight * right - by_chance,
            all_weight**2 - by_chance,
            undefined=0.0 if alone else np.nan,
        ),
        "log_loss": ratio(weights @ log_losses(predictions), all_weight),
    }


def single_label_class_scores(
    predictions: Predictions, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return `precision/CLASS`, `recall/CLASS` and `f1/CLASS`, see `scores_of_classes`."""
    return scores_of_guesses(predictions, most_probable(predictions.probabilities), weights)


def scores_of_guesses(
    predictions: Predictions, guesses: Targets, weights: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of every class for `guesses` (N,) int64, see `scores_of_classes`."""
    count = len(predictions.classes)
    sums = class_totals(predictions.targets, guesses, count, weights)
    guessed = np.bincount(guesses, minlength=count) > 0
    return scores_of_classes(sums, guessed, predictions.classes)


def log_losses(predictions: Predictions) -> NDArray[np.float64]:
    """Return minus the logarithm of the probability of each row's class, (N,)."""
    given = predictions.probabilities[np.arange(len(predictions)), predictions.targets]
    losses: NDArray[np.float64] = -np.log(clip_probabilities(given))
    return losses


def sureness_of(
    predictions: Predictions, guesses: Targets
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probability of each row's guess (N,), and 1 where it is right, else 0 (N,)."""
    confidence = predictions.probabilities[np.arange(len(predictions)), guesses]
    right = (guesses == predictions.targets).astype(np.float64)
    return confidence.astype(np.float64), right


def single_label_sureness(
    predictions: Predictions,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the highest probability of each row (N,), and whether its class is right (N,)."""
    return sureness_of(predictions, most_probable(predictions.probabilities))
