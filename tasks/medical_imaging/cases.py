"""What is judged: pictures, and patients, each as one finding sees them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.medical_imaging.findings import Finding
from transfer.samples.predictions import Predictions
from transfer.scoring.weighting import totals

PATIENT = "patient/"
"""Before the name of a score of patients; that of a score of pictures has nothing there."""


@dataclass(frozen=True, eq=False)
class Cases:
    """N pictures, or N patients, before one finding.

    Attributes:
        finding: its name.
        probabilities: of it, (N,), in [0, 1].
        truth: whether it is there, (N,).
    """

    finding: str
    probabilities: NDArray[np.float64]
    truth: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Level:
    """Pictures, or patients.

    Attributes:
        prefix: of the names of its scores.
        cases: for each finding.
        weights: of the cases under R weightings, (R, N).
    """

    prefix: str
    cases: tuple[Cases, ...]
    weights: NDArray[np.float64]


def levels(
    predictions: Predictions, findings: Sequence[Finding], weights: NDArray[np.float64]
) -> tuple[Level, Level]:
    """Return the pictures of `predictions`, and the patients.

    A patient's probability is the mean over their pictures, and they have a finding if one of their
    pictures has it. They count as often as their pictures do on average: once where all pictures
    count once, and in a resample of patients as often as they are drawn.

    Args:
        predictions: N pictures; a group is a patient.
        findings: what is looked for.
        weights: of the pictures, (R, N).
    """
    pictures = tuple(
        Cases(finding.name, finding.probabilities(predictions), finding.truth(predictions))
        for finding in findings
    )
    names, patient = np.unique(predictions.groups, return_inverse=True)
    count = np.bincount(patient, minlength=len(names))
    patients = tuple(
        Cases(
            cases.finding,
            np.bincount(patient, cases.probabilities, len(names)) / count,
            np.bincount(patient, cases.truth, len(names)) > 0,
        )
        for cases in pictures
    )
    of_patients = totals(weights, patient.astype(np.int64), len(names)) / count
    return Level("", pictures, weights), Level(PATIENT, patients, of_patients)
