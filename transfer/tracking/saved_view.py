"""The view of an experiment that MLflow's pages open on: columns that tell runs apart."""

import json

from transfer.tracking.tracker import AUDIT_TAG

SAVED_VIEW = "scores"
"""The name of the view, in MLflow's menu of views and in the address of its pages."""

SAVED_VIEW_TAG = f"mlflow.sharedViewState.{SAVED_VIEW}"
"""Tag of an experiment under which MLflow's pages keep that view."""

_ENDS = ("", "_low", "_high")
_SETTINGS = ("strategy", "backbone", "size", "seed")


def saved_view(headline: str, speed: str, time: int) -> str:
    """Return the value of `SAVED_VIEW_TAG`.

    What is in it is settled by MLflow's pages, which write it when a person saves a view
    (mlflow/server/js/src/experiment-tracking, "savedView"); they pass over what they do not know.

    Args:
        headline: the score that the experiment's runs are ranked by.
        speed: the number that tells their speed.
        time: when the view is made, in milliseconds since 1970.
    """
    scores = [f"{split}/{headline}{end}" for split in ("test", "val") for end in _ENDS]
    state = {
        "selectedColumns": [
            _column("attributes", "Description"),
            *(_column("metrics", name) for name in (*scores, speed)),
            *(_column("params", name) for name in _SETTINGS),
            *(_column("tags", name) for name in (AUDIT_TAG, "transfer.data_digest")),
        ],
        "orderByKey": _column("metrics", f"val/{headline}"),
        "orderByAsc": False,
    }
    times = {"createdAt": time, "updatedAt": time}
    return json.dumps({"name": SAVED_VIEW, **times, "state": json.dumps(state)})


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
