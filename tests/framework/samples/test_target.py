"""Labels become arrays and come back, for every kind of target."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from transfer.errors import ManifestError, RecipeError
from transfer.samples.manifest import Manifest
from transfer.samples.target import (
    CODES,
    Labelling,
    TargetKind,
    decode_targets,
    encode_labels,
    occurrences,
)

LABELS = {
    TargetKind.SINGLE_LABEL: ["cat|dog", "owl", "cat|dog"],  # the line is part of the name
    TargetKind.MULTI_LABEL: ["cat|dog", "", "owl", "cat|dog|owl"],
    TargetKind.ORDINAL: ["2", "10", "0", "2"],
    TargetKind.IDENTITY: ["ann", "bob", "ann"],
}


def manifest_of(labels: Sequence[str], labelling: Labelling) -> Manifest:
    rows = pd.DataFrame({"image": [f"{n}.png" for n in range(len(labels))], "label": labels})
    return Manifest.of_labels(Path("data"), rows, labelling=labelling)


@pytest.mark.parametrize("kind", TargetKind)
def test_what_is_encoded_is_decoded(kind: TargetKind) -> None:
    assert set(CODES) == set(LABELS) == set(TargetKind)
    manifest = manifest_of(LABELS[kind], Labelling(kind))
    assert decode_targets(kind, manifest.targets, manifest.classes) == LABELS[kind]
    expected = (len(manifest), len(manifest.classes)) if CODES[kind].several else (len(manifest),)
    assert manifest.targets.shape == expected


def test_several_labels_are_ones_among_zeros() -> None:
    targets = encode_labels(TargetKind.MULTI_LABEL, ["c | a", "", "b"], ["a", "b", "c"])
    np.testing.assert_array_equal(targets, [[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert targets.dtype == np.float32
    rows, classes = occurrences(targets)
    assert (rows.tolist(), classes.tolist()) == ([0, 0, 2], [0, 2, 1])


def test_the_order_of_several_labels_and_a_label_given_twice_do_not_matter() -> None:
    first, second = (
        manifest_of(labels, Labelling(TargetKind.MULTI_LABEL))
        for labels in (["b|a", "c|c"], ["a | b", "c"])
    )
    assert first.rows["label"].tolist() == second.rows["label"].tolist() == ["a|b", "c"]


def test_grades_are_sorted_by_their_number_and_encoded_by_rank() -> None:
    manifest = manifest_of(["10", "2", "-1", "2"], Labelling(TargetKind.ORDINAL))
    assert manifest.classes == ("-1", "2", "10")
    assert manifest.targets.tolist() == [2, 1, 0, 1]
    named = manifest_of(["2_severe", "0_none", "10_gone"], Labelling(TargetKind.ORDINAL))
    assert named.classes == ("0_none", "2_severe", "10_gone")


def test_named_grades_take_the_order_that_is_given() -> None:
    labelling = Labelling(TargetKind.ORDINAL, grades=("none", "mild", "grave", "fatal"))
    assert manifest_of(["mild", "fatal", "none"], labelling).classes == ("none", "mild", "fatal")


@pytest.mark.parametrize(
    ("labels", "grades", "complaint"),
    [
        (["mild", "grave"], (), r"grades \['grave', 'mild'\] do not start with a number each"),
        (["1 a", "1 b"], (), "do not start with a number each"),
        (["mild", "worse"], ("mild", "grave"), r"label\(s\) \['worse'\] are not among the grades"),
    ],
)
def test_grades_without_an_order_are_refused(
    labels: list[str], grades: tuple[str, ...], complaint: str
) -> None:
    with pytest.raises(ManifestError, match=complaint):
        manifest_of(labels, Labelling(TargetKind.ORDINAL, grades))


@pytest.mark.parametrize(
    ("labelling", "complaint"),
    [
        ({"grades": ("a", "b")}, "make the target 'ordinal'"),
        ({"kind": TargetKind.ORDINAL, "columns": ("a",)}, "make the target 'multi_label'"),
        ({"kind": TargetKind.ORDINAL, "grades": ("a", "b", "a")}, "give each once"),
    ],
)
def test_settings_that_would_count_for_nothing_are_refused(
    labelling: dict[str, object], complaint: str
) -> None:
    with pytest.raises(RecipeError, match=complaint):
        Labelling(**labelling)  # type: ignore[arg-type]  # wrong on purpose


def test_one_label_that_some_rows_have_is_enough_and_none_at_all_is_not() -> None:
    labelling = Labelling(TargetKind.MULTI_LABEL)
    assert manifest_of(["wet", "", ""], labelling).classes == ("wet",)
    with pytest.raises(ManifestError, match="none of 2 picture"):
        manifest_of(["", ""], labelling)


def test_an_unknown_label_among_several_is_refused_with_its_row() -> None:
    rows = pd.DataFrame({"image": ["a.png", "b.png"], "label": ["x|y", "x|z"]})
    with pytest.raises(ManifestError, match=r"1 row\(s\) have a label .*: first 'x\|z' at 'b.png'"):
        Manifest(Path("data"), rows, ("x", "y"), TargetKind.MULTI_LABEL)
