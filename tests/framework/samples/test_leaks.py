from collections.abc import Callable

from transfer.samples.leaks import (
    among,
    amounts,
    find_contradictions,
    find_leaks,
    verdict,
)
from transfer.samples.manifest import Manifest
from transfer.samples.split import assign_splits
from transfer.settings import SplitSettings

Build = Callable[..., Manifest]
GIVEN = ["train", "test", "train", "test", "train", "test", "train", ""]
GROUPS = ["p", "p", "", "", "q", "", "q", "p"]


def test_each_tie_across_splits_is_a_leak_and_is_said_once(inspected: Build) -> None:
    manifest = inspected(["cat"] * 8, split=GIVEN, group=GROUPS)
    (of_p,) = find_leaks(manifest)  # the third of p has no split yet, and q lies in one
    keys = manifest.rows["key"].tolist()
    assert (of_p.tie, of_p.name, of_p.splits) == ("group", "p", {"train": 1, "test": 1})
    assert [key for _, key, _ in of_p.rows] == keys[:2]
    content, pixels = manifest.rows["content"].tolist(), manifest.rows["pixels"].tolist()
    content[2] = content[3]
    pixels[2] = pixels[3]
    pixels[4] = pixels[5]
    found = find_leaks(manifest.with_columns(content=content, pixels=pixels))
    assert [leak.tie for leak in found] == ["group", "bytes", "pixels"]
    assert amounts(found) == "1 group, 1 of equal bytes, 1 of equal pixels"
    assert str(found[0]) == "group 'p': train 1, test 1 row(s)"
    assert str(found[1]) == f"equal bytes: train '{keys[2]}.png', test '{keys[3]}.png'"
    pixels[4] = pixels[6]
    assert len(find_leaks(manifest.with_columns(pixels=pixels))) == 2  # p, and rows 2 and 3
    assert not find_leaks(manifest.with_columns(split=""))


def test_our_own_splits_leak_nothing(inspected: Build) -> None:
    labels = ["cat", "dog"] * 12
    groups = [str(number // 4) for number in range(24)]
    split = assign_splits(inspected(labels, group=groups), SplitSettings(val=0.2, test=0.2))
    assert find_leaks(split) == ()


def test_only_leaks_between_the_splits_that_are_there_count(inspected: Build) -> None:
    leaks = find_leaks(inspected(["cat"] * 8, split=GIVEN, group=GROUPS))
    assert among(leaks, {"train", "test"}) == leaks
    assert among(leaks, {"train", "val"}) == ()


def test_the_verdict_names_all_that_is_wrong(inspected: Build) -> None:
    leaks = find_leaks(inspected(["cat"] * 8, split=GIVEN, group=GROUPS))
    assert verdict((), SplitSettings()) == "clean"
    assert verdict(leaks, SplitSettings(allow_leaks=True)) == "leaks allowed: 1 group"
    both = verdict(leaks, SplitSettings(allow_leaks=True, ignore_groups=True))
    assert both == "groups ignored, leaks allowed: 1 group"


def test_a_picture_with_two_labels_is_a_contradiction(inspected: Build) -> None:
    manifest = inspected(["cat", "dog", "cat", "cat"])
    assert find_contradictions(manifest) == ()
    pixels = manifest.rows["pixels"].tolist()
    pixels[2] = pixels[3]  # equal, and labelled alike
    assert find_contradictions(manifest.with_columns(pixels=pixels)) == ()
    pixels[1] = pixels[0]
    (odd,) = find_contradictions(manifest.with_columns(pixels=pixels))
    images = manifest.rows["image"].tolist()
    assert str(odd) == f"{images[0]!r} is cat, {images[1]!r} is dog"
