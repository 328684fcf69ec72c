from collections.abc import Callable

import numpy as np
import pytest

from transfer.errors import ManifestError
from transfer.samples.folds import deal_folds, held_out, nested_parts
from transfer.samples.manifest import Manifest
from transfer.samples.split import assign_splits
from transfer.settings import SplitSettings

Build = Callable[..., Manifest]

LABELS = ["cat"] * 30 + ["dog"] * 60
GROUPS = [f"group {number // 3}" for number in range(90)]  # of one class each
SETTINGS = SplitSettings(val=0.2, test=0.2)


@pytest.fixture
def manifest(inspected: Build) -> Manifest:
    return assign_splits(inspected(LABELS, group=GROUPS), SETTINGS)


def test_every_row_that_is_not_test_is_in_one_fold(manifest: Manifest) -> None:
    folds = deal_folds(manifest, 5, seed=0)
    test = (manifest.rows["split"] == "test").to_numpy()
    assert np.array_equal(folds == -1, test)
    assert sorted(set(folds[~test])) == [0, 1, 2, 3, 4]


def test_a_group_is_never_divided_between_folds(manifest: Manifest) -> None:
    folds = deal_folds(manifest, 5, seed=3)
    assert manifest.rows.assign(fold=folds).groupby("group")["fold"].nunique().eq(1).all()


def test_folds_keep_the_proportion_of_classes(manifest: Manifest) -> None:
    table = manifest.rows.assign(fold=deal_folds(manifest, 4, seed=0))
    table = table[table["fold"] >= 0]
    for label, rows in table.groupby("label"):
        counts = rows["fold"].value_counts()
        assert len(counts) == 4, label
        assert counts.max() - counts.min() <= 3, label  # one group


def test_names_and_the_order_of_rows_move_no_row_between_folds(manifest: Manifest) -> None:
    def fold_of_key(one: Manifest, seed: int = 0) -> dict[str, int]:
        return dict(zip(one.rows["key"], deal_folds(one, 5, seed).tolist(), strict=True))

    rows = manifest.rows.assign(group=manifest.rows["group"].map(lambda name: f"x{hash(name)}"))
    shuffled = Manifest(manifest.root, rows.sample(frac=1, random_state=1), manifest.classes)
    assert fold_of_key(shuffled) == fold_of_key(manifest)
    assert fold_of_key(manifest, seed=1) != fold_of_key(manifest)


def test_a_fold_judges_its_rows_and_carves_val_out_of_the_others(manifest: Manifest) -> None:
    folds = deal_folds(manifest, 5, seed=0)
    judged: list[str] = []
    for fold in range(5):
        part = held_out(manifest, folds, fold, SETTINGS)
        keys = part.rows.groupby("split")["key"].agg(set)
        assert keys["test"] == set(manifest.rows["key"][folds == fold])
        assert keys["train"] | keys["val"] == set(
            manifest.rows["key"][(folds != fold) & (folds >= 0)]
        )
        assert part.rows.groupby("group")["split"].nunique().eq(1).all()
        for split in ("train", "val"):
            assert set(part.rows.loc[part.rows["split"] == split, "label"]) == {"cat", "dog"}
        share = len(keys["val"]) / len(keys["train"] | keys["val"])
        assert share == pytest.approx(0.2 / 0.8, abs=0.1)  # as beside a test part
        judged += keys["test"]
    outer = set(manifest.rows.loc[manifest.rows["split"] == "test", "key"])
    assert sorted(judged) == sorted(set(manifest.rows["key"]) - outer)


def test_a_class_with_fewer_groups_than_folds_is_named(inspected: Build) -> None:
    manifest = assign_splits(inspected(["cat"] * 9 + ["dog"] * 60), SETTINGS)
    with pytest.raises(ManifestError, match=r"too few groups for 8 folds(.|\n)*class 'cat' has 7"):
        deal_folds(manifest, 8, seed=0)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_smaller_part_is_contained_in_every_larger_one(manifest: Manifest, seed: int) -> None:
    train = set(manifest.numbers("train").tolist())
    parts = [set(p.tolist()) for p in nested_parts(manifest, (0.1, 0.3, 0.6, 1.0), seed)]
    assert parts[-1] == train
    for smaller, larger, share in zip(parts, parts[1:], (0.1, 0.3, 0.6), strict=False):
        assert smaller < larger
        assert len(smaller) == pytest.approx(share * len(train), abs=6)  # a group of each class


def test_parts_have_whole_groups_and_every_class(manifest: Manifest) -> None:
    in_train = manifest.rows[manifest.rows["split"] == "train"]
    for rows in nested_parts(manifest, (0.02, 0.5), seed=0):
        part = manifest.rows.loc[rows]
        assert set(part["label"]) == {"cat", "dog"}
        assert len(part) == in_train["group"].isin(part["group"]).sum()


def test_parts_come_in_the_order_of_the_fractions(manifest: Manifest) -> None:
    large, small = nested_parts(manifest, (1.0, 0.2), seed=0)
    assert len(small) < len(large)


def test_a_class_of_a_single_group_is_in_every_part(inspected: Build) -> None:
    manifest = inspected(
        ["cat"] * 40 + ["owl"], split=["train"] * 41, group=[str(n) for n in range(41)]
    )
    for rows in nested_parts(manifest, (0.1, 0.5), seed=0):
        assert 40 in rows


def test_classes_that_only_come_together_are_refused_with_a_way_out(inspected: Build) -> None:
    # Each class has three groups, but where a and b are in every fold, c is in two at most.
    labels = ["a", "b", "a", "b", "a", "c", "b", "c", "c"]
    groups = [f"g{number // 2}" for number in range(len(labels))]
    manifest = inspected(labels, group=groups, split=["train"] * len(labels))
    with pytest.raises(ManifestError, match=r"take fewer folds or another split\.seed"):
        deal_folds(manifest, 3, seed=0)
