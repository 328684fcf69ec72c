"""Our own tasks keep what every task promises; a stranger's are tested by the same lines."""

import pytest

from transfer.contract import Promise, assert_kept, each_promise

TASKS = (
    "driving_objects", "face_recognition", "labelled_images", "medical_imaging",
    "satellite_vegetation",
)  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
@each_promise
def test_a_task_of_ours_keeps_its_promises(promise: Promise, name: str) -> None:
    assert_kept(promise, name)
