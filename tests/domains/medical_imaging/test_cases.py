import numpy as np

from tasks.medical_imaging.cases import levels
from tasks.medical_imaging.findings import findings_of
from transfer import TargetKind


def test_a_patient_is_the_mean_of_their_pictures_and_has_what_one_of_them_has(said):
    predictions = said(60)
    findings = findings_of(predictions.classes, predictions.kind)
    pictures, patients = levels(predictions, findings, np.ones((1, 60)))
    names = sorted(set(predictions.groups.tolist()))
    assert len(patients.cases[0].truth) == len(names) < 60
    for number, name in enumerate(names):
        rows = predictions.groups == name
        mean = predictions.probabilities[rows, 1].astype(np.float64).mean()
        np.testing.assert_allclose(patients.cases[0].probabilities[number], mean)
        assert patients.cases[0].truth[number] == predictions.targets[rows].any()
    np.testing.assert_array_equal(patients.weights, np.ones((1, len(names))))
    np.testing.assert_array_equal(pictures.weights, np.ones((1, 60)))


def test_in_a_resample_a_patient_counts_as_often_as_they_are_drawn(said):
    predictions = said(60)
    names, patient = np.unique(predictions.groups, return_inverse=True)
    drawn = np.random.default_rng(0).integers(0, 4, (5, len(names))).astype(np.float64)
    findings = findings_of(predictions.classes, predictions.kind)
    _, patients = levels(predictions, findings, drawn[:, patient])
    np.testing.assert_allclose(patients.weights, drawn)


def test_each_finding_has_cases_of_its_own(said):
    predictions = said(classes=("a", "b", "c"), kind=TargetKind.MULTI_LABEL)
    findings = findings_of(predictions.classes, predictions.kind)
    pictures, patients = levels(predictions, findings, np.ones((1, len(predictions))))
    for level in (pictures, patients):
        assert [cases.finding for cases in level.cases] == ["a", "b", "c"]
    some = patients.cases[1].truth[0]
    assert some == (predictions.targets[predictions.groups == predictions.groups[0], 1] > 0).any()
