"""What cannot be seen with two real processes on a CPU; the rest is in test_launch.py."""

import pytest
import torch

from transfer.errors import RecipeError
from transfer.finetuning.devices import Compute
from transfer.finetuning.joint import rows_of_a_mean, synchronize
from transfer.network.backbone import build_network
from transfer.network.freezing import BatchStatistics
from transfer.processes import ALONE, Alone, Share

CPU, CARD = torch.device("cpu"), torch.device("cuda", 1)


class Four(Alone):
    share = Share(1, 4, 1, 4)


def compute(device: torch.device, processes: Alone) -> Compute:
    return Compute(device, "fp32", 1, "a test", processes)


def test_batch_norm_takes_its_mean_over_one_process_or_over_all_cards() -> None:
    assert rows_of_a_mean(32, compute(CPU, ALONE)) == 32
    assert rows_of_a_mean(32, compute(CPU, Four())) == 8
    assert rows_of_a_mean(32, compute(CARD, Four())) == 32


def test_fewer_rows_than_processes_are_refused() -> None:
    with pytest.raises(RecipeError, match="a step has 3 row.s., too few for 4 processes"):
        rows_of_a_mean(3, compute(CPU, Four()))


@pytest.mark.parametrize(
    ("device", "processes", "statistics"),
    [
        (CPU, Four(), BatchStatistics.UPDATED),
        (CARD, ALONE, BatchStatistics.UPDATED),
        (CARD, Four(), BatchStatistics.FROZEN),
    ],
)
def test_batch_norm_is_left_alone_where_it_has_nothing_to_share(
    device: torch.device, processes: Alone, statistics: BatchStatistics
) -> None:
    network = build_network("test_resnet", 2)
    assert not synchronize(network, statistics, compute(device, processes))
    assert not any(isinstance(m, torch.nn.SyncBatchNorm) for m in network.modules())


def test_synchronized_batch_norm_changes_no_name_and_no_score() -> None:
    network = build_network("test_resnet", 2).eval()
    pixels = torch.rand(3, 3, 32, 32)
    state, said = network.state_dict(), network(pixels)
    assert synchronize(network, BatchStatistics.UPDATED, compute(CARD, Four()))
    assert any(isinstance(m, torch.nn.SyncBatchNorm) for m in network.modules())
    assert network.state_dict().keys() == state.keys()
    assert torch.equal(network(pixels), said)
