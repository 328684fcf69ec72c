import numpy as np
import pytest
import torch

from transfer.finetuning.overlap import Feed, LateSum

CPU, CARD = torch.device("cpu"), torch.device("cuda")
needs_a_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA card")


def test_a_sum_is_that_of_its_parts() -> None:
    assert float(LateSum([torch.tensor(0.5), torch.tensor(0.25)])) == 0.75


def test_on_a_cpu_nothing_is_copied() -> None:
    tensor = torch.arange(4)
    assert Feed(CPU)(tensor) is tensor


@needs_a_card
def test_each_step_computes_on_its_own_batch() -> None:
    feed, weights = Feed(CARD), torch.randn(2048, 2048, device=CARD)
    sums = []
    for step in range(50):
        batch = feed(torch.full((64, 2048), float(step)).pin_memory())
        for _ in range(10):  # so that the copies are far ahead
            weights = (weights @ weights).clamp(-1, 1)
        sums.append(LateSum([batch.mean()]))
        del batch
    np.testing.assert_array_equal([float(late) for late in sums], np.arange(50))


@needs_a_card
def test_what_comes_later_is_not_waited_for() -> None:
    work = torch.randn(8192, 8192, device=CARD)
    loss = LateSum([work[0, 0]])
    for _ in range(100):
        work = (work @ work).clamp(-1, 1)
    after = torch.cuda.Event()
    after.record()
    float(loss)
    assert not after.query()
