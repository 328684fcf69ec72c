"""The task contract for tests: what every plugin promises, a test for each promise.

from transfer.contract import Promise, assert_kept, each_promise

@each_promise
def test_the_task_keeps_its_promises(promise: Promise) -> None:
    assert_kept(promise, "leaf_disease")
"""

from functools import cache
from pathlib import Path

import pytest

from transfer.cli.app import OWN_COMMANDS
from transfer.promises.examination import PROMISES, Examination
from transfer.promises.promise import Promise, State, Verdict

__all__ = ["PROMISES", "Promise", "assert_kept", "each_promise", "examine"]

each_promise = pytest.mark.parametrize("promise", PROMISES, ids=str)
"""Calls a test with one promise after another."""


def assert_kept(promise: Promise, task: str, data: Path | None = None) -> None:
    """Fail where an installed task breaks `promise`, and skip where it does not apply.

    Args:
        promise: one of `PROMISES`.
        task: its name.
        data: a folder or a table to look at; unset takes samples that the task writes.
    """
    verdict = _examination(task, data).verdict(promise)
    if verdict.state is State.MOOT:
        pytest.skip(verdict.said)
    if verdict.state is State.BROKEN:
        pytest.fail(f"{promise.promised}\n{verdict.said}\n{promise.mend}", pytrace=False)


def examine(task: str, data: Path | None = None) -> list[Verdict]:
    """Return what became of all promises of a task, in their order."""
    examination = Examination(task, data, taken=OWN_COMMANDS)
    return [examination.verdict(promise) for promise in PROMISES]


@cache
def _examination(task: str, data: Path | None) -> Examination:
    # One for all tests of a task: its samples are drawn and read once.
    return Examination(task, data, taken=OWN_COMMANDS)
