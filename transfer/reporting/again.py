"""The one command that makes a run again."""

import shlex

from transfer.overlay import as_options
from transfer.plugin.task import Task
from transfer.tracking.stored_runs import StoredRun


def command(run: StoredRun, task: Task) -> str:
    """Return what to type for a run like `run`: all that differs from the task's defaults."""
    words = ["transfer", "fit", run.experiment, "--data", run.data or "FOLDER_OR_TABLE"]
    return shlex.join([*words, *as_options(run.params, task.defaults())])
