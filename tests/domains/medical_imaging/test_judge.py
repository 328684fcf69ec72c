import numpy as np
import pytest
from matplotlib.figure import Figure

from tasks.medical_imaging.judge import judge
from tasks.medical_imaging.settings import Settings
from transfer import TargetKind
from transfer.scoring.judging import Judging

MULTI = TargetKind.MULTI_LABEL


def judged(of_split, settings=None, kind=TargetKind.SINGLE_LABEL):
    settings = Settings(target=kind) if settings is None else settings
    judging = Judging(kind, judge(settings))
    decided = judging.decided(of_split)
    return judging, decided


def test_thresholds_come_from_the_calibration_rows_and_each_rate_says_so(said):
    judging, decided = judged({"val": said(seed=1), "calibration": said(seed=2), "test": said()})
    scores = judging.scores(decided["test"])
    threshold = decided["test"].decisions.by_name["at_specificity_90"]
    note = scores["at_specificity_90/sensitivity"].note
    assert f"from {threshold:.3f} on, fitted on calibration" in note
    assert decided["test"].decisions.by_name != judged({"val": said(seed=1)})[1]["val"].decisions
    # What was fitted elsewhere is met about, not exactly.
    assert 0.75 < scores["at_specificity_90/specificity"].value < 1


def test_without_calibration_rows_val_decides_and_that_is_said(said):
    judging, decided = judged({"val": said(seed=1), "test": said()})
    assert "fitted on val" in judging.scores(decided["test"])["at_sensitivity_95/npv"].note


def test_every_score_has_an_interval_or_says_why_not(said):
    judging, decided = judged({"val": said(seed=1), "test": said()})
    for name, score in judging.scores(decided["test"]).items():
        assert score.note
        if score.low is None:
            assert "no interval" in score.note, name
        else:
            assert score.low <= score.value <= score.high or "moved" in score.note, name


def test_notes_say_what_the_finding_is_and_how_patients_are_taken(said):
    judging, decided = judged({"val": said()})
    scores = judging.scores(decided["val"])
    patients = len(np.unique(decided["val"].groups))
    assert "of opacity" in scores["auroc"].note
    assert f"{patients} patients, each by the mean over their pictures" in (
        scores["patient/auroc"].note
    )


@pytest.mark.parametrize(("prevalence", "note"), [(None, "that of these rows"), (0.02, "of 0.02")])
def test_the_prevalence_behind_a_predictive_value_is_said(said, prevalence, note):
    judging, decided = judged({"val": said()}, Settings(prevalence=prevalence))
    scores = judging.scores(decided["val"])
    assert note in scores["at_specificity_90/ppv"].note
    assert note in scores["patient/at_sensitivity_95/npv"].note


def test_what_is_shown_and_what_selects_are_scores(said):
    for kind, classes in ((TargetKind.SINGLE_LABEL, ("a", "b")), (MULTI, ("a", "b", "c"))):
        judging, decided = judged({"val": said(classes=classes, kind=kind)}, kind=kind)
        assert {"auroc", *judging.shown} <= set(judging.scores(decided["val"]))
        assert {"auroc", *judging.shown} <= set(judging.points(said(classes=classes, kind=kind)))


def test_a_rare_finding_selects_by_its_area_and_grades_by_their_kappa():
    assert judge(Settings()).headline == judge(Settings(target=MULTI)).headline == "auroc"
    assert judge(Settings(target=TargetKind.ORDINAL)).headline is None  # that of its kind


def test_one_finding_is_drawn_with_its_operating_points_and_its_probabilities(said):
    judging, decided = judged({"val": said(seed=1), "test": said()})
    figures = judging.figures(decided["test"])
    assert set(figures) == {"roc", "precision_recall", "probability"}
    assert all(isinstance(figure, Figure) for figure in figures.values())
    (axes,) = figures["roc"].axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    area = judging.points(said())["auroc"]
    assert f"120 pictures: {area:.3f}" in labels
    assert any(label.startswith("sensitivity 0.95 on val") for label in labels)


def test_points_lie_on_the_curve_that_they_are_points_of(said):
    judging, decided = judged({"val": said(seed=1), "test": said()})
    (axes,) = judging.figures(decided["test"])["roc"].axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    curve = next(line for name, line in lines.items() if "pictures" in name)
    scores = judging.points(decided["test"])
    for name, line in lines.items():
        if " on val" in name:
            false, true = line.get_xdata()[0], line.get_ydata()[0]
            assert true <= np.interp(false, curve.get_xdata(), curve.get_ydata()) + 1e-9
    assert scores["auroc"] > 0.5


def test_several_findings_are_drawn_together_the_most_frequent_first(said):
    classes = tuple("abcdefghi")
    judging, decided = judged({"val": said(classes=classes, kind=MULTI)}, kind=MULTI)
    figures = judging.figures(decided["val"])
    assert set(figures) == {"roc", "precision_recall"}
    (axes,) = figures["roc"].axes
    drawn = [text.get_text().split(":")[0] for text in axes.get_legend().get_texts()]
    counts = decided["val"].targets.sum(axis=0)
    assert len(drawn) == 7
    assert drawn[0] == classes[int(counts.argmax())]


def test_rows_of_one_class_are_not_drawn(said):
    predictions = said()
    predictions.targets[:] = 0
    judging, decided = judged({"val": predictions})
    assert judging.figures(decided["val"]) == {}
