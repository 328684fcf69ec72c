import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from transfer.errors import ManifestError
from transfer.samples.manifest import Manifest
from transfer.samples.split import assign_splits, split_counts
from transfer.samples.target import TargetKind
from transfer.settings import SplitSettings

Build = Callable[..., Manifest]
USUAL = SplitSettings()
LABELS = ["cat", "dog", "cow"] * 40
GROUPS = [f"g{number // 4}" for number in range(len(LABELS))]


def split_of_key(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.rows["key"], manifest.rows["split"], strict=True))


def splits_of_groups(manifest: Manifest) -> list[set[str]]:
    numbers = manifest.group_numbers()
    return [set(part) for _, part in manifest.rows["split"].groupby(numbers)]


def test_every_row_gets_a_split(inspected: Build) -> None:
    split = assign_splits(inspected(LABELS), USUAL)
    assert split.rows["split"].value_counts().to_dict() == {"train": 84, "val": 18, "test": 18}


def test_classes_keep_their_shares_within_one_row(inspected: Build) -> None:
    labels = ["a"] * 33 + ["b"] * 10 + ["c"] * 100
    counts = split_counts(assign_splits(inspected(labels), USUAL))
    wanted = np.outer([33, 10, 100], [0.7, 0.15, 0.15])
    assert np.abs(counts.to_numpy() - wanted).max() <= 1


def test_a_calibration_part_is_made_on_request(inspected: Build) -> None:
    counts = split_counts(assign_splits(inspected(LABELS), SplitSettings(calibration=0.1)))
    assert counts.sum().to_dict() == {"train": 72, "val": 18, "calibration": 12, "test": 18}


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_divided(inspected: Build, seed: int) -> None:
    split = assign_splits(inspected(LABELS, group=GROUPS), SplitSettings(seed=seed))
    assert all(len(splits) == 1 for splits in splits_of_groups(split))
    assert (split_counts(split) > 0).all(axis=None)


def test_only_the_seed_of_the_split_moves_it(inspected: Build) -> None:
    manifest = inspected(LABELS, group=GROUPS)
    first = split_of_key(assign_splits(manifest, USUAL))
    assert split_of_key(assign_splits(manifest, USUAL)) == first
    assert split_of_key(assign_splits(manifest, SplitSettings(seed=1))) != first


@pytest.mark.parametrize("groups", [GROUPS, [""] * len(LABELS)])
def test_names_and_order_change_neither_split_nor_digest(
    inspected: Build, groups: Sequence[str]
) -> None:
    manifest = inspected(LABELS, group=groups)
    rows = manifest.rows
    hashed = rows["group"].map(lambda name: f"#{zlib.crc32(name.encode()):08x}" if name else "")
    renamed = rows.assign(image=[f"{row * 31 % 997}.png" for row in range(len(rows))], group=hashed)
    shuffled = Manifest(manifest.root, renamed.sample(frac=1, random_state=1), manifest.classes)
    one, two = assign_splits(manifest, USUAL), assign_splits(shuffled, USUAL)
    assert split_of_key(one) == split_of_key(two)
    assert one.digest() == two.digest()


def test_rows_of_equal_bytes_or_pixels_stay_together(inspected: Build) -> None:
    manifest = inspected(LABELS)
    content, pixels = manifest.rows["content"].tolist(), manifest.rows["pixels"].tolist()
    content[7] = content[40]
    pixels[40] = pixels[90] = pixels[3]
    twins = [3, 7, 40, 90]
    for seed in range(20):
        split = assign_splits(
            manifest.with_columns(content=content, pixels=pixels), SplitSettings(seed=seed)
        )
        assert len(set(split.rows["split"][twins])) == 1
        assert len(set(split.group_numbers()[twins].tolist())) == 1
        assert len(set(split.group_numbers().tolist())) == len(LABELS) - 3


def test_equal_rows_connect_their_groups(inspected: Build) -> None:
    manifest = inspected(LABELS, group=GROUPS)
    content = manifest.rows["content"].tolist()
    content[0] = content[4]  # g0 and g1
    content[7] = content[11]  # g1 and g2
    split = assign_splits(manifest.with_columns(content=content), USUAL)
    assert set(split.rows["group"][:12]) == {"g0"}
    assert len(set(split.rows["split"][:12])) == 1
    assert split.rows["group"][12:].tolist() == GROUPS[12:]


def test_merged_rows_without_group_are_called_by_their_smallest_key(inspected: Build) -> None:
    manifest = inspected(LABELS)
    content = manifest.rows["content"].tolist()
    content[5] = content[2]
    groups = assign_splits(manifest.with_columns(content=content), USUAL).rows["group"]
    assert groups[2] == groups[5] == min(manifest.rows["key"][[2, 5]])
    assert (groups.drop([2, 5]) == "").all()


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_with_too_few_pictures_is_named(inspected: Build, count: int) -> None:
    with pytest.raises(ManifestError, match=rf"class 'cow' has {count} for train, val, test\nadd"):
        assign_splits(inspected(["cat"] * 9 + ["dog"] * 9 + ["cow"] * count), USUAL)


def test_a_class_with_too_few_groups_is_named(inspected: Build) -> None:
    labels = ["cat"] * 12 + ["dog"] * 12
    groups = [f"g{number % 2}" if number < 12 else "" for number in range(24)]
    with pytest.raises(ManifestError, match="class 'cat' has 2 for train, val, test"):
        assign_splits(inspected(labels, group=groups), USUAL)


def test_equal_pictures_count_as_one(inspected: Build) -> None:
    manifest = inspected(["cat"] * 9 + ["dog"] * 4)
    pixels = manifest.rows["pixels"].tolist()
    pixels[9:] = [pixels[9]] * 4
    with pytest.raises(ManifestError, match="class 'dog' has 1 for"):
        assign_splits(manifest.with_columns(pixels=pixels), USUAL)


def test_all_classes_that_are_too_small_are_told_together(inspected: Build) -> None:
    labels = ["cat"] * 9 + [f"c{number}" for number in range(8)]
    with pytest.raises(ManifestError, match=r"'c0' has 1 .*\n.*\n.*\n.*\n.*'c4' .*\n  and 3 more"):
        assign_splits(inspected(labels), USUAL)


def test_a_class_that_is_only_in_the_given_test_is_named(inspected: Build) -> None:
    given = ["test" if label == "cow" else "" for label in LABELS]
    with pytest.raises(ManifestError, match="class 'cow' has 0 for train, val"):
        assign_splits(inspected(LABELS, split=given), USUAL)


def test_a_class_whose_files_were_all_broken_is_named(inspected: Build) -> None:
    manifest = inspected(LABELS)
    with pytest.raises(ManifestError, match="class 'cow' has 0 for"):
        assign_splits(manifest.keep((manifest.rows["label"] != "cow").to_numpy()), USUAL)


def test_classes_that_only_come_together_are_refused_with_a_way_out(inspected: Build) -> None:
    # Each class has three groups, but where a and b are in every split, c is in two at most.
    labels = ["a", "b", "a", "b", "a", "c", "b", "c", "c"]
    groups = [f"g{number // 2}" for number in range(len(labels))]
    with pytest.raises(
        ManifestError, match=r"groups hold several classes; try another split\.seed"
    ):
        assign_splits(inspected(labels, group=groups), USUAL)


def test_rows_must_have_been_inspected(inspected: Build) -> None:
    manifest = inspected(LABELS)
    bare = Manifest(manifest.root, manifest.rows.drop(columns="pixels"), manifest.classes)
    with pytest.raises(ManifestError, match=r"no \['pixels'\]; call inspect"):
        assign_splits(bare, USUAL)


def test_counts_are_classes_by_splits_in_their_order(inspected: Build) -> None:
    labels = ["cat", "cat", "dog", "dog", "cow"]
    counts = split_counts(inspected(labels, split=["test", "train", "val", "val", ""]))
    expected = pd.DataFrame(
        {"train": [1, 0, 0], "val": [0, 0, 2], "test": [1, 0, 0]}, index=["cat", "cow", "dog"]
    )
    assert counts.reset_index().columns.tolist() == ["class", "train", "val", "test"]
    assert counts.to_dict() == expected.to_dict()


def several(inspected: Build, labels: list[str], **columns: list[str]) -> Manifest:
    """Build an inspected manifest of a multi label target."""
    names = sorted({name for label in labels for name in label.split("|") if name})
    one = inspected(labels, **columns)
    return Manifest(one.root, one.rows, tuple(names), TargetKind.MULTI_LABEL)


def test_each_of_several_labels_and_rows_without_any_keep_their_share(inspected: Build) -> None:
    draw = np.random.default_rng(0)
    flags = draw.random((600, 5)) < [0.5, 0.3, 0.1, 0.05, 0.02]
    labels = ["|".join(np.array(list("abcde"))[row]) for row in flags]
    split = assign_splits(several(inspected, labels), USUAL)
    parts, shares = ["train", "val", "test"], [0.7, 0.15, 0.15]
    counts = split_counts(split)[parts].to_numpy()
    assert counts.sum(axis=1).tolist() == flags.sum(axis=0).tolist()
    assert np.abs(counts - np.outer(flags.sum(axis=0), shares)).max() <= 4
    empty = split.rows.loc[split.rows["label"] == "", "split"].value_counts()[parts].to_numpy()
    assert np.abs(empty - empty.sum() * np.array(shares)).max() <= 4


def test_a_label_of_few_rows_is_on_every_split_where_it_can_be(inspected: Build) -> None:
    labels = ["a"] * 40 + ["a|rare"] * 3 + ["a|once"]
    for seed in range(5):
        split = assign_splits(several(inspected, labels), SplitSettings(seed=seed))
        counts = split_counts(split)
        assert counts.loc["rare"].tolist() == [1, 1, 1]
        assert counts.loc["once"].tolist() == [1, 0, 0]


def test_persons_of_test_may_be_others_than_those_of_train(inspected: Build) -> None:
    given = ["train"] * 4 + ["val"] * 2 + ["test"] * 2
    one = inspected(["ann", "ann", "bob", "bob", "eve", "eve", "kim", "kim"], split=given)
    manifest = Manifest(one.root, one.rows, one.classes, TargetKind.IDENTITY)
    assert assign_splits(manifest, USUAL).rows["split"].tolist() == given
    with pytest.raises(ManifestError, match="too few groups"):
        assign_splits(one, USUAL)


@pytest.mark.parametrize("seed", range(3))
def test_where_a_person_is_a_group_the_people_are_dealt_out(inspected: Build, seed: int) -> None:
    sizes = np.random.default_rng(seed).integers(5, 12, size=40)
    labels = np.repeat([f"person {number:02}" for number in range(40)], sizes).tolist()
    people = replace(inspected(labels, group=labels), target=TargetKind.IDENTITY)
    split = assign_splits(people, SplitSettings(seed=seed, test=0.5))
    assert all(len(splits) == 1 for splits in splits_of_groups(split))
    shares = split.rows["split"].value_counts(normalize=True)
    for name, share in {"train": 0.35, "val": 0.15, "test": 0.5}.items():
        assert abs(shares[name] - share) < 12 / len(labels)  # within one person


def test_people_of_several_groups_are_in_every_split(inspected: Build) -> None:
    labels = np.repeat([f"person {number}" for number in range(6)], 12).tolist()
    sessions = [f"day {number // 3}" for number in range(len(labels))]
    people = replace(inspected(labels, group=sessions), target=TargetKind.IDENTITY)
    assert (split_counts(assign_splits(people, USUAL)) > 0).all(axis=None)
