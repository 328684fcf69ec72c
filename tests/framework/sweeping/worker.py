"""A worker on a study for the tests: no picture, no network, only a trial that takes a moment."""

import sys
import time
from pathlib import Path

from optuna import Trial

from transfer.sweeping.study import open_study, work

url, name, folder, trials, sleeps = sys.argv[1:]
began = Path(folder)


def objective(trial: Trial) -> list[float]:
    """Leave a file that tells of the trial, and take as long as this worker does."""
    x = trial.suggest_float("x", 0, 1)
    (began / f"{trial.number} {x!r}").touch()
    time.sleep(float(sleeps))
    return [x]


study = open_study(url, name, ["maximize"], heartbeat_seconds=1)
work(study, objective, int(trials), seed=0)
