"""The one command that makes a run again."""

import json
import shlex

from transfer.plugin.task import Task
from transfer.tracking.stored_runs import StoredRun

_EVERYDAY = ("backbone", "weights", "strategy", "epochs", "size", "batch_size", "lr", "seed")
_FREE = "machine."  # where it ran; another machine has its own
_UNSET = "null"


def command(run: StoredRun, task: Task) -> str:
    """Return what to type for a run like `run`: all that differs from the task's defaults."""
    defaults = {name: _as_text(value) for name, value in task.defaults().dotted().items()}
    differ = {
        name: value
        for name, value in run.params.items()
        if value != defaults.get(name) and value != _UNSET and not name.startswith(_FREE)
    }
    words = ["transfer", "fit", run.experiment, "--data", run.data or "FOLDER_OR_TABLE"]
    for name in _EVERYDAY:
        if name in differ:
            words += [f"--{name.replace('_', '-')}", differ.pop(name)]
    for name, value in differ.items():
        words += ["--set", f"{name}={value}"]
    return shlex.join(words)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
