"""Answers read back from a store, and what keeps two runs from being compared."""

from dataclasses import replace

import numpy as np
import pytest

from transfer.comparing.answers import check_alike, kind_of, read_answers
from transfer.errors import ComparisonError
from transfer.samples.predictions import Decisions, Thresholds
from transfer.samples.target import TargetKind
from transfer.tracking.runs import find_run


def _same(one, other):
    assert one.classes == other.classes
    assert one.kind is other.kind
    assert (one.thresholds, one.decisions) == (other.thresholds, other.decisions)
    for name in ("keys", "groups", "targets", "probabilities"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_what_a_run_said_comes_back_sorted_by_key(store, stored, answers):
    said, other = answers(1), answers(2, rows=30, truth=5)
    stored("a", {"val": said, "test": other})
    for split, expected in (("val", said), ("test", other)):
        _same(read_answers(store, find_run(store, "a"), split).said, expected)


@pytest.mark.parametrize("kind", [TargetKind.ORDINAL, TargetKind.MULTI_LABEL])
def test_every_kind_of_target_comes_back_with_its_decisions(store, stored, answers, kind):
    said = replace(answers(1), kind=kind, decisions=Decisions({"from": 0.25}, "calibration"))
    if kind is TargetKind.MULTI_LABEL:
        labels = (said.probabilities > 0.3).astype(np.float32)  # some rows have none, some two
        said = replace(said, targets=labels, thresholds=Thresholds((0.1, 0.2, 0.3), "val"))
    stored("a", {"val": said})
    _same(read_answers(store, find_run(store, "a"), "val").said, said)


@pytest.mark.parametrize("kind", TargetKind)
def test_the_kind_of_an_untagged_run_is_told_by_its_scores(store, stored, answers, kind):
    said = replace(answers(1), kind=kind)
    if kind is TargetKind.MULTI_LABEL:
        said = replace(said, targets=np.eye(3, dtype=np.float32)[said.targets])
    stored("a", {"val": said})
    run = find_run(store, "a")
    tags = {name: tag for name, tag in run.tags.items() if name != "transfer.target"}
    assert kind_of(run) is kind_of(replace(run, tags=tags)) is kind


def test_a_run_that_was_stopped_says_nothing_of_test(store, stored, answers):
    stored("a", {"val": answers(1)})
    with pytest.raises(ComparisonError, match="'a' .finished. says nothing of test rows; .* val"):
        read_answers(store, find_run(store, "a"), "test")


def _other_rows(said):
    return replace(said, keys=np.array(["zz", *said.keys[1:]]))


def _other_label(said):
    return replace(said, targets=np.r_[(said.targets[0] + 1) % 3, said.targets[1:]])


def _other_classes(said):
    return replace(said, classes=("cat", "dog", "cow"))


def _other_groups(said):
    return replace(said, groups=said.groups // 2)


def _other_kind(said):
    return replace(said, kind=TargetKind.ORDINAL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_other_rows, r"of 120 and 120 rows 1 are only in the first .*row00000.*--split RUN"),
        (_other_label, r"1 row\(s\) have another label in the second \(row00000\)"),
        (_other_classes, r"only the first knows \['NA'\], only the second \['cow'\]"),
        (_other_groups, "grouped differently"),
        (_other_kind, "targets are single_label and ordinal"),
    ],
)
def test_runs_that_did_not_answer_the_same_are_refused(store, stored, answers, change, message):
    stored("a", {"val": answers(1)})
    stored("b", {"val": change(answers(2))})
    both = [read_answers(store, find_run(store, name), "val") for name in "ab"]
    with pytest.raises(ComparisonError, match=f"'a' and 'b' cannot be compared: .*{message}"):
        check_alike(both)


def test_groups_may_have_other_numbers(store, stored, answers):
    said = answers(1, each=2)
    stored("a", {"val": said})
    stored("b", {"val": replace(said, groups=1000 - said.groups)})
    check_alike([read_answers(store, find_run(store, name), "val") for name in "ab"])
