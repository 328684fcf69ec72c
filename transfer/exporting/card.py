"""What stands beside exported files, in JSON: all that a program needs to know to use them."""

from typing import Any

from transfer.exporting.portable import PIXELS, Portable
from transfer.tracking.stored_runs import StoredRun

NAME = "card.json"
_FORMAT = 1


def card_of(portable: Portable, run: StoredRun) -> dict[str, Any]:
    """Return the card of an export; docs/leaving.md says what each entry means."""
    predictor, recipe = portable.predictor, portable.predictor.recipe
    thresholds, decisions = predictor.thresholds, predictor.decisions
    normalization = predictor.network.normalization
    return {
        "format": _FORMAT,
        "run": {"name": run.name, "id": run.run_id, "task": run.experiment},
        "input": PIXELS,
        "outputs": list(portable.outputs),
        "bands": list(recipe.bands or ("red", "green", "blue")),
        "size": recipe.size,
        "framing": recipe.framing,
        "mean": list(normalization.mean),
        "std": list(normalization.std),
        "classes": list(predictor.classes),
        "target": predictor.target.value,
        "temperature": 1.0,  # probabilities are those of the logits as they are: nobody fits one
        "thresholds": None
        if thresholds is None
        else dict(zip(predictor.classes, thresholds.values, strict=True)),
        "decisions": None if decisions is None else dict(decisions.by_name),
        "backbone": predictor.network.name,
        "files": {},
    }
