import numpy as np
import pytest
import torch

from transfer.processes import ALONE, Share, share_of_launch

TORCHRUN = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (8, 8), (3, 5), (0, 2), (7, 1)])
def test_the_parts_of_all_processes_are_the_rows_in_order(rows: int, size: int) -> None:
    numbers = np.arange(rows)[::-1]
    parts = [Share(rank, size).part(numbers) for rank in range(size)]
    assert np.concatenate(parts).tolist() == numbers.tolist()
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_the_variables_of_a_launcher_say_which_process_this_is() -> None:
    assert share_of_launch(TORCHRUN) == Share(5, 8, 1, 4)
    assert not share_of_launch(TORCHRUN).is_first


def test_without_a_launcher_or_with_one_process_it_is_alone() -> None:
    for environment in ({}, {"WORLD_SIZE": "1", "RANK": "0"}):
        assert share_of_launch(environment) == Share(0, 1, 0, 1)
        assert share_of_launch(environment).is_first


def test_what_a_launcher_does_not_say_is_left_open() -> None:
    assert share_of_launch({"RANK": "1", "WORLD_SIZE": "2"}) == Share(1, 2, -1, -1)


def test_one_process_has_all_there_is() -> None:
    tensor, answer = torch.tensor([-0.0, 1.0]), object()
    assert ALONE.total(2.5, [tensor]) == 2.5
    ALONE.align([tensor])
    assert torch.signbit(tensor).tolist() == [True, False]
    assert ALONE.first(lambda: answer) is ALONE.in_turn(lambda: answer) is answer
    assert ALONE.gather(answer) == ALONE.collect(answer) == [answer]
    with pytest.raises(KeyError), ALONE.together():
        raise KeyError
