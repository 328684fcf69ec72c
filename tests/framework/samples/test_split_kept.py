"""Splits that are there already: given with the data, or made by an earlier run."""

from collections.abc import Callable

import numpy as np
import pytest

from transfer.samples.manifest import SPLITS, Manifest
from transfer.samples.split import assign_splits, split_counts
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


def test_a_given_test_is_never_touched(inspected: Build) -> None:
    given = ["test" if number % 3 == 0 else "train" for number in range(len(LABELS))]
    labels = [f"c{number % 2}" for number in range(len(LABELS))]
    split = assign_splits(inspected(labels, split=given), USUAL)
    assert np.flatnonzero(split.rows["split"] == "test").tolist() == list(range(0, len(LABELS), 3))
    # Of the other 80 rows, val takes 15 parts to the 70 of train.
    assert (split.rows["split"] == "val").sum() == pytest.approx(80 * 15 / 85, abs=1)


def test_rows_without_split_count_as_train_where_others_have_one(inspected: Build) -> None:
    given = ["test"] * 30 + ["val"] * 30 + ["train"] * 30 + [""] * 30
    split = assign_splits(inspected(LABELS, split=given), USUAL)
    assert split.rows["split"].tolist() == ["test"] * 30 + ["val"] * 30 + ["train"] * 60


def test_missing_parts_are_carved_out_by_group(inspected: Build) -> None:
    given = ["val" if number < 24 else "" for number in range(len(LABELS))]
    split = assign_splits(inspected(LABELS, group=GROUPS, split=given), USUAL)
    assert (split.rows["split"][:24] == "val").all()
    assert set(split.rows["split"][24:]) == {"train", "test"}
    assert all(len(splits) == 1 for splits in splits_of_groups(split))


def test_all_given_splits_stay(inspected: Build) -> None:
    given = [SPLITS[number // 3 % 4] for number in range(len(LABELS))]
    assert assign_splits(inspected(LABELS, split=given), USUAL).rows["split"].tolist() == given


def test_a_group_with_rows_in_a_given_part_stays_in_train(inspected: Build) -> None:
    given = [
        "test" if number % 4 == 0 and number < 60 else "train" for number in range(len(LABELS))
    ]
    for seed in range(10):
        split = assign_splits(
            inspected(LABELS, group=GROUPS, split=given), SplitSettings(seed=seed)
        ).rows["split"]
        assert set(split[:60]) == {"test", "train"}
        assert "val" in set(split[60:])


@pytest.mark.parametrize("seed", range(3))
def test_files_added_later_never_move_an_old_row(inspected: Build, seed: int) -> None:
    labels = LABELS * 2
    whole = inspected(labels, group=[f"g{number // 4}" for number in range(len(labels))])
    old = np.random.default_rng(seed).random(len(whole)) < 0.6
    first = split_of_key(assign_splits(whole.keep(old), USUAL))
    second = assign_splits(whole, SplitSettings(seed=seed, val=0.2), first)
    after = split_of_key(second)
    assert all(after[key] == split for key, split in first.items())
    assert all(len(splits) == 1 for splits in splits_of_groups(second))
    assert set(second.rows["split"][~old]) == {"train", "val", "test"}


def test_new_rows_follow_their_group_and_their_equals(inspected: Build) -> None:
    whole = inspected([*LABELS, "cat", "dog"], group=[*GROUPS, "g5", ""])
    content = whole.rows["content"].tolist()
    content[-1] = content[40]
    whole = whole.with_columns(content=content)
    old = np.arange(len(whole)) < len(LABELS)
    for seed in range(8):
        first = split_of_key(assign_splits(whole.keep(old), SplitSettings(seed=seed)))
        after = assign_splits(whole, USUAL, first).rows["split"].tolist()
        assert after[-2] == after[5 * 4]
        assert after[-1] == after[40]


def test_a_row_that_joins_two_old_groups_moves_neither(inspected: Build) -> None:
    whole = inspected([*LABELS, "cat"], group=[*GROUPS, "g5"])
    old = np.arange(len(whole)) < len(LABELS)
    first = assign_splits(whole.keep(old), USUAL)
    tested = first.numbers("test")[0]
    held = first.rows["split"][5 * 4]
    content = whole.rows["content"].tolist()
    content[-1] = content[tested]
    after = assign_splits(whole.with_columns(content=content), USUAL, split_of_key(first)).rows[
        "split"
    ]
    assert after[:-1].tolist() == first.rows["split"].tolist()
    assert after.iloc[-1] == min(held, "test", key=SPLITS.index)


def test_new_groups_fill_up_what_is_below_its_share(inspected: Build) -> None:
    whole = inspected(["cat", "dog"] * 100)
    previous = dict.fromkeys(whole.rows["key"][:150], "train")
    previous |= dict.fromkeys(whole.rows["key"][150:152], "val")
    counts = split_counts(assign_splits(whole, USUAL, previous))
    assert counts.sum().to_dict() == {"train": 150, "val": 25, "test": 25}


def test_what_is_given_comes_before_an_earlier_run(inspected: Build) -> None:
    given = ["test" if number < 30 else "" for number in range(len(LABELS))]
    manifest = inspected(LABELS, split=given)
    earlier = dict.fromkeys(manifest.rows["key"][20:40], "test")
    splits = assign_splits(manifest, USUAL, earlier).rows["split"]
    assert (splits == "test").tolist() == [name == "test" for name in given]


def test_a_part_of_an_earlier_run_is_kept_though_it_is_no_longer_asked_for(
    inspected: Build,
) -> None:
    manifest = inspected(LABELS)
    first = assign_splits(manifest, SplitSettings(calibration=0.2))
    again = assign_splits(manifest, USUAL, split_of_key(first))
    assert again.rows["split"].tolist() == first.rows["split"].tolist()
