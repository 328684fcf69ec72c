import numpy as np
import torch

from transfer.auditing.labels import held_out_probabilities, likely_errors


def test_rows_that_are_surely_another_class_come_first() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    zero = np.array([0.9, 0.8, 0.05, 0.2, 0.1, 0.7])  # the third and the sixth are off
    said = np.stack([zero, 1 - zero], axis=1)
    # Thresholds: class 0 (0.9 + 0.8 + 0.05) / 3 = 0.58, class 1 (0.8 + 0.9 + 0.3) / 3 = 0.67.
    assert likely_errors(said, labels) == [(2, 1), (5, 0)]
    zero[5] = 0.55  # is not said with confidence
    assert likely_errors(np.stack([zero, 1 - zero], axis=1), labels) == [(2, 1)]


def test_planted_label_errors_are_found_by_probes_that_never_saw_them() -> None:
    random = np.random.default_rng(0)
    true = np.repeat([0, 1, 2], 40)
    features = torch.from_numpy(random.normal(0, 1, (120, 8)) + 3 * np.eye(8)[true])
    off = [5, 50, 100]
    features[off] = torch.from_numpy(6 * np.eye(8)[true[off]])  # nobody would doubt them
    labels = true.copy()
    labels[off] = [1, 2, 0]
    said = held_out_probabilities(features.float(), labels, np.arange(120), seed=0)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    found = likely_errors(said, labels)
    assert {(5, 0), (50, 1), (100, 2)} <= set(found)
    assert len(found) < 15
