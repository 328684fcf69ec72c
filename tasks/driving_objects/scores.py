"""What is asked of a network on the road, beside how often it is right."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tasks.driving_objects.settings import Settings, pair
from tasks.driving_objects.slices import Mask, slices
from transfer import Judge
from transfer.samples.predictions import Predictions
from transfer.scoring.classes import class_totals
from transfer.scoring.decisions import most_probable
from transfer.scoring.weighting import mean_of_defined, ratio

HEADLINE = "balanced_accuracy"
"""Mean recall of the classes: a road is mostly cars, and whoever says car is mostly right."""


def judge(settings: Settings) -> Judge:
    """Return how objects on the road are judged."""
    return Judge(
        scores=partial(road_scores, settings=settings),
        remarks=partial(road_remarks, settings=settings),
        rests_on=partial(_rows_of_parts, settings=settings),
        shown=tuple(f"confused/{text}" for text in settings.costly),
        lower_is_better=frozenset({"confused"}),
    )


def road_scores(
    predictions: Predictions, weights: NDArray[np.float64], *, settings: Settings
) -> dict[str, NDArray[np.float64]]:
    """Return `confused/FIRST:SECOND` of costly pairs and `balanced_accuracy/SLICE`, each (R,).

    The first is the share of the rows of two classes that are said to be the other of the two;
    lower is better. The second is the mean recall of the classes that have weight in the slice.

    Args:
        predictions: N rows.
        weights: (R, N), not negative.
        settings: which pairs, and the edges of the slices.
    """
    targets, count = predictions.targets, len(predictions.classes)
    guesses = most_probable(predictions.probabilities)
    scores = {}
    for name, rows in _rows_of_pairs(predictions, settings=settings).items():
        swapped = rows & (guesses != targets) & np.isin(guesses, targets[rows])
        scores[name] = ratio(weights @ swapped, weights @ rows)
    for name, rows in _rows_of_slices(predictions, settings=settings).items():
        sums = class_totals(targets[rows], guesses[rows], count, weights[:, rows])
        scores[name] = mean_of_defined(ratio(sums.hits, sums.targets))
    return scores


def road_remarks(predictions: Predictions, *, settings: Settings) -> dict[str, str]:
    """Return how many rows, in how many groups, each of those scores rests on."""
    parts = _rows_of_parts(predictions, settings=settings)
    groups = {name: len(np.unique(predictions.groups[rows])) for name, rows in parts.items()}
    return {
        name: f"{int(rows.sum()):,} rows in {groups[name]:,} group(s)"
        for name, rows in parts.items()
    }


def _rows_of_parts(predictions: Predictions, *, settings: Settings) -> dict[str, Mask]:
    """Return the rows of each score that is of some of them, by its name."""
    pairs = _rows_of_pairs(predictions, settings=settings)
    return pairs | _rows_of_slices(predictions, settings=settings)


def _rows_of_pairs(predictions: Predictions, *, settings: Settings) -> dict[str, Mask]:
    """Return the rows of each costly pair whose classes both have rows, by the score's name."""
    number_of = {name.lower(): number for number, name in enumerate(predictions.classes)}
    found = {}
    for text in settings.costly:
        numbers = [number_of.get(name.lower(), -1) for name in pair(text)]
        if np.isin(numbers, predictions.targets).all():
            found[f"confused/{text}"] = np.isin(predictions.targets, numbers)
    return found


def _rows_of_slices(predictions: Predictions, *, settings: Settings) -> dict[str, Mask]:
    if predictions.facts is None:
        return {}
    parts = slices(predictions.facts, settings)
    return {f"{HEADLINE}/{name}": rows for name, rows in parts.items()}
