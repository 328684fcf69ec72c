"""The run that stands for a study: one, whoever works on it; the trials stand below it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import optuna

from transfer.logbook import Logbook
from transfer.plan import Plan
from transfer.sweeping.study import done_and_under_way, work
from transfer.tracking.tracker import RunDescription, SharedTracker, Status

STUDY_TAG = "transfer.study"
"""Tag of the run under which the trials of a study stand: name of the study."""

_PARENT = "parent"


@dataclass(frozen=True)
class Parent:
    """Opened by the first who works on a study, told of by each who leaves, in turns.

    Attributes:
        plan: what all trials share, without test rows; it is called as the study is.
        study: knows the record of this run, so that whoever comes finds it.
        opening: the study whose only trial opens it: once, whoever carries it out.
        tracker: id of a record -> what keeps that run.
    """

    plan: Plan
    study: optuna.Study
    opening: optuna.Study
    tracker: Callable[[str], SharedTracker]

    def opened(self, say: Callable[[str], None]) -> str:
        """Return the id of its record; one that ended before its time is open again.

        Raises:
            TransferError: as a tracker does.
        """
        is_new = done_and_under_way(self.opening)[0] == 0
        work(self.opening, self._open, 1, seed=0, say=say)
        if not is_new:
            self.end(None)
        return self._record

    def taken_up(self) -> SharedTracker:
        """Return what keeps it, started: others wait until it is left or finished.

        Raises:
            TransferError: as a tracker does.
        """
        tracker = self.tracker(self._record)
        tracker.start(RunDescription(self.plan.task.name, self.plan.name))
        return tracker

    def end(self, status: Status | None) -> str:
        """Close it as `status`, or leave it open for those who are still at work; return its id."""
        tracker = self.taken_up()
        return tracker.leave() if status is None else tracker.finish(status)

    @property
    def _record(self) -> str:
        return str(self.study.user_attrs[_PARENT])

    def _open(self, _: optuna.Trial) -> list[float]:
        if _PARENT not in self.study.user_attrs:  # else whoever began to open it was lost
            self.study.set_user_attr(_PARENT, uuid.uuid4().hex)
        tracker = self.tracker(self._record)
        Logbook(self.plan, tracker, log_pictures=False).open({STUDY_TAG: self.study.study_name})
        tracker.leave()
        return [0.0]
