import numpy as np
import pytest

from tasks.medical_imaging.findings import choice, findings_of
from transfer import TargetKind
from transfer.errors import RecipeError

SINGLE, ORDINAL, MULTI = (
    TargetKind.SINGLE_LABEL, TargetKind.ORDINAL, TargetKind.MULTI_LABEL,
)  # fmt: skip


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("NORMAL", "PNEUMONIA"), "PNEUMONIA"),
        (("ARDS", "healthy"), "ARDS"),
        (("benign", "malignant"), "malignant"),
        (("0", "1"), "1"),
        (("Effusion", "No Finding"), "Effusion"),
        (("covid", "non-covid"), "covid"),
        (("no_tumour", "tumour"), "tumour"),
    ],
)
def test_of_two_classes_the_finding_is_the_one_that_is_not_called_normal(classes, expected):
    (finding,) = findings_of(classes, SINGLE)
    assert finding.name == expected
    assert finding.classes == (classes.index(expected),)
    other = classes[1 - classes.index(expected)]
    assert f"as {other!r} sounds like none" in choice(classes, SINGLE, ())
    assert f"task.finding={other}" in choice(classes, SINGLE, ())


@pytest.mark.parametrize("classes", [("bacteria", "virus"), ("clear", "normal")])
def test_where_no_name_or_both_sound_normal_the_last_is_taken_and_that_is_said(classes):
    assert findings_of(classes, SINGLE)[0].name == classes[1]
    assert "for want of a better" in choice(classes, SINGLE, ())


def test_a_person_says_which_is_the_finding():
    assert findings_of(("NORMAL", "PNEUMONIA"), SINGLE, ["NORMAL"])[0].classes == (0,)
    assert choice(("NORMAL", "PNEUMONIA"), SINGLE, ["NORMAL"]) == ""


def test_of_more_classes_each_is_held_against_the_rest(said):
    classes = ("bacteria", "normal", "virus")
    findings = findings_of(classes, SINGLE)
    assert [finding.name for finding in findings] == list(classes)
    predictions = said(classes=classes)
    for number, finding in enumerate(findings):
        np.testing.assert_array_equal(finding.truth(predictions), predictions.targets == number)
        expected = predictions.probabilities[:, number]
        np.testing.assert_allclose(finding.probabilities(predictions), expected)


def test_several_classes_can_be_one_finding(said):
    classes = ("bacteria", "normal", "virus")
    (finding,) = findings_of(classes, SINGLE, ["virus", "bacteria"])
    predictions = said(classes=classes)
    assert finding.name == "virus or bacteria"
    np.testing.assert_array_equal(finding.truth(predictions), predictions.targets != 1)
    expected = 1 - predictions.probabilities[:, 1].astype(np.float64)
    np.testing.assert_allclose(finding.probabilities(predictions), expected, atol=1e-6)


@pytest.mark.parametrize(("named", "ranks"), [([], (1, 2, 3)), (["2"], (2, 3)), (["3"], (3,))])
def test_of_grades_the_finding_is_a_grade_or_a_higher_one(said, named, ranks):
    grades = ("0", "1", "2", "3")
    (finding,) = findings_of(grades, ORDINAL, named)
    predictions = said(classes=grades, kind=ORDINAL)
    assert finding.classes == ranks
    assert ("or above" in finding.name) == (len(ranks) > 1)
    np.testing.assert_array_equal(finding.truth(predictions), predictions.targets >= ranks[0])
    assert ("task.finding=GRADE" in choice(grades, ORDINAL, named)) == (not named)


def test_of_several_labels_each_is_a_finding(said):
    predictions = said(classes=("a", "b", "c"), kind=MULTI)
    findings = findings_of(predictions.classes, MULTI)
    assert [finding.name for finding in findings] == ["a", "b", "c"]
    np.testing.assert_array_equal(findings[2].truth(predictions), predictions.targets[:, 2] == 1)
    assert choice(predictions.classes, MULTI, ()) == ""


@pytest.mark.parametrize(
    ("classes", "kind", "named", "message"),
    [
        (("a", "b"), SINGLE, ["c"], r"\['c'\] is none of the classes \['a', 'b'\]"),
        (("a", "b"), SINGLE, ["a", "b"], "names all classes"),
        (("a", "b"), MULTI, ["a"], "each label of a multi label target is a finding of its own"),
        (("0", "1"), ORDINAL, ["0"], "the lowest grade"),
        (("0", "1", "2"), ORDINAL, ["1", "2"], "the lowest grade that counts, alone"),
    ],
)
def test_a_finding_that_cannot_be_meant_is_refused(classes, kind, named, message):
    with pytest.raises(RecipeError, match=message):
        findings_of(classes, kind, named)
