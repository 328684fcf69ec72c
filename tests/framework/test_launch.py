"""Two real processes, as a launcher starts them, beside one."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from transfer.processes import ALONE

pytestmark = pytest.mark.slow

FILE = Path(__file__).with_name("in_two_processes.py")
TOGETHER = runpy.run_path(str(FILE))
CASES, teach = TOGETHER["CASES"], TOGETHER["teach"]
Came = list[dict[str, Any]]


@pytest.fixture(scope="module")
def came(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, launch_two: Callable[..., Any]
) -> Came:
    """What all cases came to, in each of two processes; started once for all tests."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "two processes"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            folder.mkdir()
            ended = launch_two(FILE.read_text(), folder)
            assert [each.code for each in ended] == [0, 0], ended
    return [torch.load(folder / f"came {rank}.pt", weights_only=True) for rank in range(2)]


def assert_close(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-4, atol=2e-5, msg=name)


def assert_same(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())


def test_each_exchange_gives_what_it_promises(came: Came) -> None:
    first, second = (each["exchange"] for each in came)
    assert [first["share"], second["share"]] == [(0, 2, 0, 2), (1, 2, 1, 2)]  # found out by itself
    for each in (first, second):
        assert each["total"] == 2.0
        assert torch.equal(each["parts"][0], torch.full((4, 3, 2, 2), 3.0))
        assert each["parts"][1].tolist() == [1, 10]
        assert each["aligned"][0].tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert each["first"] == "made by 0"
        assert each["gathered"] == ["a", "bb"]
    assert [first["collected"], second["collected"]] == [[0, 1], []]
    assert [first["turn"], second["turn"]] == [False, True]


@pytest.mark.parametrize("case", ["probed", "hard", "found"])
def test_two_processes_learn_what_one_does_from_the_same_batches(
    came: Came, case: str, tmp_path: Path
) -> None:
    alone = teach(ALONE, tmp_path, CASES[case])
    assert alone["ended"] == ["completed", ""]
    for each in came:
        assert each[case]["losses"] == pytest.approx(alone["losses"], rel=1e-5)
        assert each[case]["scores"] == pytest.approx(alone["scores"], rel=1e-4)
        assert each[case]["found"] == pytest.approx(alone["found"])
        torch.testing.assert_close(each[case]["said"], alone["said"], rtol=1e-4, atol=1e-5)
        assert_close(each[case]["weights"], alone["weights"])


def test_two_processes_adapt_to_the_statistics_that_one_does(came: Came, tmp_path: Path) -> None:
    alone = teach(ALONE, tmp_path, CASES["adapted"])
    for each in came:
        moments = [
            {name: tensor for name, tensor in weights.items() if ".running_" in name}
            for weights in (each["adapted"]["weights"], alone["weights"])
        ]
        assert_close(*moments)
        # Features are rounded to float16: what differs in the last digit may go either way.
        assert each["adapted"]["losses"] == pytest.approx(alone["losses"], rel=0.02)


@pytest.mark.parametrize("case", ["adapted", "probed", "hard", "found", "drawn"])
def test_both_processes_end_with_the_same_bits(came: Came, case: str) -> None:
    first, second = (each[case] for each in came)
    assert first["losses"] == second["losses"]
    assert first["scores"] == second["scores"]
    assert torch.equal(first["said"], second["said"])
    assert_same(first["weights"], second["weights"])


def test_a_process_that_is_told_to_end_ends_both_behind_the_same_step(came: Came) -> None:
    assert [each["stopped"] for each in came] == [["terminated", "in epoch 2 of 2"]] * 2


def test_a_run_of_two_processes_that_was_stopped_goes_on_to_the_same_bits(came: Came) -> None:
    for each in came:  # dropout, mixup and moving statistics: all that is drawn or drifts
        assert each["went on"]["ended"] == ["completed", ""]
        assert each["went on"]["losses"] == each["drawn"]["losses"]
        assert_same(each["went on"]["weights"], each["drawn"]["weights"])


def test_a_loss_that_is_no_number_in_one_process_ends_the_training_of_both(came: Came) -> None:
    for each in came:
        ending, where = each["exploded"]["ended"]
        assert ending == "diverged"
        assert where.startswith("the loss became nan in epoch 2")
        assert each["exploded"]["losses"] == each["hard"]["losses"][:1]  # whose weights are kept
    assert_same(came[0]["exploded"]["weights"], came[1]["exploded"]["weights"])


def test_an_error_of_one_process_ends_both_by_it(came: Came) -> None:
    gone = "ManifestError: the pictures of process 1 are gone"
    assert [each["broke down"] for each in came] == [gone, gone]


def test_a_mistake_of_ours_keeps_its_traceback_where_it_was_made(came: Came) -> None:
    assert came[1]["failed"] == "KeyError: 'our own mistake'"
    assert came[0]["failed"].startswith("ProcessError: process 1 of 2 failed, as it says itself")


def test_what_one_process_makes_for_all_may_not_wait_for_the_others(came: Came) -> None:
    assert came[0]["nested"].startswith("RuntimeError: what one process makes for all may ask")
    assert came[1]["nested"].startswith("ProcessError: process 0 of 2 failed")


def test_a_process_that_is_killed_is_missed_at_once(launch_two: Callable[..., Any]) -> None:
    script = (
        "import os, signal\n"
        "from transfer.launch import join\n"
        "processes = join()\n"
        "if not processes.share.is_first: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with processes.together(): processes.total(1)\n"
    )
    first, second = launch_two(script)
    assert second.code == -9
    assert first.code == 1
    assert "ProcessError: process 0 of 2 lost the others" in first.err
