import numpy as np
import pytest
import torch

from transfer.errors import TrainingError
from transfer.finetuning.stopping import Best, Validation


def at(network: torch.nn.Linear, value: float) -> torch.nn.Linear:
    torch.nn.init.constant_(network.weight, value)
    return network


def said(headline: float) -> Validation:
    return Validation(np.zeros((2, 2), np.float32), {"accuracy": headline, "other": -headline})


def after(*headlines: float, patience: int = 0) -> tuple[Best, list[bool]]:
    """Offer epochs 1, 2, ... whose weights are their number."""
    best, network = Best("accuracy", patience), torch.nn.Linear(1, 1)
    improved = [
        best.offer(at(network, epoch), said(headline), epoch)
        for epoch, headline in enumerate(headlines, start=1)
    ]
    return best, improved


def kept(best: Best) -> float:
    network = torch.nn.Linear(1, 1)
    best.restore(network)
    return network.weight.item()


def test_the_weights_of_the_best_headline_are_kept() -> None:
    best, improved = after(0.5, 0.7, 0.6, 0.65)
    assert improved == [True, True, False, False]
    assert (best.epoch, kept(best)) == (2, 2.0)
    assert best.restore(torch.nn.Linear(1, 1)).scores["accuracy"] == 0.7


def test_the_first_of_equals_is_kept() -> None:
    best, improved = after(0.5, 0.5)
    assert improved == [True, False]
    assert kept(best) == 1.0


def test_kept_weights_do_not_follow_the_network() -> None:
    best, network = Best("accuracy", 0), torch.nn.Linear(1, 1)
    best.offer(at(network, 1), said(0.5), 1)
    at(network, 9)
    assert kept(best) == 1.0


def test_a_headline_that_is_no_number_never_wins() -> None:
    best, improved = after(float("nan"), 0.5, float("nan"), 0.4)
    assert improved == [True, True, False, False]
    assert kept(best) == 2.0


@pytest.mark.parametrize(
    ("patience", "stale_at"), [(1, [4, 5, 6]), (2, [5, 6]), (3, [6]), (4, []), (0, [])]
)
def test_patience_counts_epochs_since_the_best(patience: int, stale_at: list[int]) -> None:
    best, _ = after(0.5, 0.6, 0.7, patience=patience)
    assert [epoch for epoch in (3, 4, 5, 6) if best.is_stale(epoch)] == stale_at


def test_a_probe_that_stays_best_is_epoch_zero() -> None:
    best = Best("accuracy", patience=2)
    best.offer(torch.nn.Linear(1, 1), said(0.9), 0)
    assert [best.is_stale(epoch) for epoch in (1, 2)] == [False, True]


def test_before_the_first_offer_there_is_nothing_to_restore() -> None:
    best = Best("accuracy", 0)
    assert (best.epoch, best.validation) == (-1, None)
    with pytest.raises(TrainingError, match="no epoch was finished"):
        best.restore(torch.nn.Linear(1, 1))
