import numpy as np
import pytest
import torch

from transfer.network.objective import OBJECTIVES
from transfer.samples.target import TargetKind

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
TARGETS = np.array([0, 1])


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def test_every_kind_of_target_has_an_objective() -> None:
    assert set(OBJECTIVES) == set(TargetKind)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_cross_entropy_with_labels_spread_over_all_classes(smoothing: float) -> None:
    labels = np.full((2, 3), smoothing / 3)
    labels[[0, 1], TARGETS] += 1 - smoothing
    expected = -(labels * np.log(softmax(LOGITS))).sum(axis=1).mean()
    objective = OBJECTIVES[TargetKind.SINGLE_LABEL]
    loss = objective.loss(torch.tensor(LOGITS), torch.tensor(TARGETS), smoothing)
    assert float(loss) == pytest.approx(expected)


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    probabilities = OBJECTIVES[TargetKind.SINGLE_LABEL].probabilities(torch.tensor(LOGITS))
    assert np.allclose(probabilities.numpy(), softmax(LOGITS))
