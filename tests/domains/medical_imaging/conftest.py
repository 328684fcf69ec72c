"""What tests of medical pictures share: predictions of pictures of patients."""

from dataclasses import replace

import numpy as np
import pytest

from transfer import TargetKind
from transfer.samples.predictions import Decisions, Predictions


@pytest.fixture
def said():
    """Draw what is said of N pictures of about N / 3 patients, in two classes or more."""

    def draw(
        rows=120, seed=0, classes=("normal", "opacity"), kind=TargetKind.SINGLE_LABEL, step=None
    ) -> Predictions:
        generator, count = np.random.default_rng(seed), len(classes)
        groups = np.sort(generator.integers(0, rows // 3, rows))
        if kind is TargetKind.MULTI_LABEL:
            targets = (generator.random((rows, count)) < 0.3).astype(np.float32)
            logits = 2 * targets - 1
        else:
            targets = generator.integers(0, count, rows)
            logits = 2 * np.eye(count)[targets]
        logits = logits + generator.normal(size=logits.shape)
        sharp = np.exp(logits)
        probabilities = (
            1 / (1 + 1 / sharp)
            if kind is TargetKind.MULTI_LABEL
            else sharp / sharp.sum(axis=1, keepdims=True)
        )
        if step:
            probabilities = np.round(probabilities / step) * step
        return Predictions(
            classes=classes,
            keys=np.array([f"{number:03}" for number in range(rows)]),
            groups=groups.astype(np.int64),
            targets=targets,
            probabilities=probabilities.astype(np.float32),
            kind=kind,
        )

    return draw


@pytest.fixture
def decided():
    """Return predictions that carry what is decided on others."""

    def carry(predictions: Predictions, by_name, fitted_on="calibration") -> Predictions:
        return replace(predictions, decisions=Decisions(by_name, fitted_on))

    return carry
