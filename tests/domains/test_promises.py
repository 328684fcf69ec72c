"""Our own tasks keep what every task promises; a stranger's are tested by the same lines."""

import pickle

import pytest

from transfer.contract import Promise, assert_kept, each_promise
from transfer.promises import fresh

TASKS = (
    "driving_objects", "face_recognition", "labelled_images", "medical_imaging",
    "satellite_vegetation",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _views_travel_to_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the five seconds in which a new process imports albumentations; all is pickled."""
    monkeypatch.setattr(
        fresh.LOADER,
        "ask",
        lambda see, *asked: see(*pickle.loads(pickle.dumps(asked))),  # noqa: S301
    )


@pytest.mark.parametrize("name", TASKS)
@each_promise
def test_a_task_of_ours_keeps_its_promises(promise: Promise, name: str) -> None:
    assert_kept(promise, name)
