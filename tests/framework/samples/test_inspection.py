import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transfer.errors import ImageError, ManifestError
from transfer.images.crop import Box
from transfer.images.pictures import Pixels, read_picture
from transfer.plugin.task import read_row
from transfer.progress import Silent, Step
from transfer.samples.inspection import Inspected, inspect
from transfer.samples.manifest import Manifest, Row
from transfer.settings import TaskSettings

Write = Callable[..., Path]


def read(row: Row) -> Pixels:
    return read_row(row, TaskSettings())


def rows_of(root: Path, labels: dict[str, str], **columns: list[str]) -> Manifest:
    table = pd.DataFrame({"image": list(labels), "label": list(labels.values()), **columns})
    return Manifest(root, table, tuple(sorted(set(labels.values()))))


def look(manifest: Manifest, read: Callable[[Row], Pixels] = read, reader: str = "r") -> Inspected:
    cache = manifest.root / ".cache"
    return inspect(manifest, read, reader=reader, progress=Silent(), cache=cache)


@pytest.fixture
def ten(tmp_path: Path, write_picture: Write) -> Manifest:
    """Ten pictures that differ, written a minute ago."""
    for number in range(10):
        path = write_picture(f"{number}.png")
        os.utime(path, (path.stat().st_atime - 60, path.stat().st_mtime - 60))
    return rows_of(
        tmp_path, {f"{number}.png": "cat" if number % 2 else "dog" for number in range(10)}
    )


def refuse(*_: object) -> Pixels:
    raise AssertionError("a file was read")


def test_every_row_gets_digests_and_a_key(ten: Manifest) -> None:
    inspected = look(ten)
    rows = inspected.manifest.rows
    assert inspected.broken == ()
    for name in ("content", "pixels", "key"):
        assert rows[name].str.fullmatch("[0-9a-f]{16}").all()
        assert rows[name].is_unique
    assert rows["key"].tolist() == rows["content"].tolist()
    assert rows["image"].tolist() == ten.rows["image"].tolist()


def test_a_file_is_opened_again_when_a_cell_that_the_reader_goes_by_is_another(
    ten: Manifest,
) -> None:
    opened: list[float] = []

    def shifted(row: Row) -> Pixels:
        opened.append(row.columns["nose"])
        return read(row) + np.uint8(row.columns["nose"])

    def seen(noses: list[int]) -> list[str]:
        manifest, cache = ten.with_columns(nose=noses), ten.root / ".cache"
        found = inspect(
            manifest, shifted, reader="r", columns=["nose"], progress=Silent(), cache=cache
        )
        return found.manifest.rows["pixels"].tolist()

    first, again = seen([3] * 10), seen([3] * 10)
    assert (len(opened), again) == (10, first)
    moved = seen([3] * 9 + [4])
    assert opened[10:] == [4]
    assert (moved[:9], moved[9] != first[9]) == (first[:9], True)


def test_the_digest_of_pixels_does_not_see_the_format(tmp_path: Path, write_picture: Write) -> None:
    write_picture("a.png", seed=1)
    pixels = read_picture(tmp_path / "a.png")
    (tmp_path / "a.ppm").write_bytes(b"P6 8 8 255\n" + pixels.tobytes())
    write_picture("b.png", seed=2)
    manifest = rows_of(tmp_path, {"a.png": "cat", "a.ppm": "cat", "b.png": "dog"})
    rows = look(manifest).manifest.rows
    assert rows["pixels"][0] == rows["pixels"][1] != rows["pixels"][2]
    assert rows["content"].is_unique


def test_the_digest_of_pixels_sees_shape_and_depth(tmp_path: Path, write_picture: Write) -> None:
    arrays = {
        "a": np.zeros((2, 8, 1), np.uint8),
        "b": np.zeros((8, 2, 1), np.uint8),
        "c": np.zeros((2, 2, 1), np.float32),
    }
    for name in arrays:
        write_picture(name)
    manifest = rows_of(tmp_path, {"a": "x", "b": "y", "c": "y"})
    rows = look(manifest, lambda row: arrays[row.path.name]).manifest.rows
    assert rows["pixels"].is_unique


def test_broken_files_are_left_out_and_told(ten: Manifest) -> None:
    (ten.root / "3.png").write_bytes((ten.root / "3.png").read_bytes()[:60])
    inspected = look(ten)
    assert len(inspected.manifest) == 9
    assert "3.png" not in set(inspected.manifest.rows["image"])
    (broken,) = inspected.broken
    assert broken.image == "3.png"
    assert broken.reason.startswith("cannot be read: ")


@pytest.mark.parametrize("damage", ["empty", "text", "gone", "folder", "link"])
def test_every_kind_of_broken_file_is_told(ten: Manifest, damage: str) -> None:
    path = ten.root / "3.png"
    path.unlink()
    if damage == "link":
        path.symlink_to("3.png")
    elif damage == "folder":
        path.mkdir()
    elif damage != "gone":
        path.write_text("" if damage == "empty" else "no picture")
    assert [image for image, _ in look(ten).broken] == ["3.png"]


def test_more_than_a_tenth_broken_stops(ten: Manifest) -> None:
    for number in (2, 5):
        (ten.root / f"{number}.png").write_text("no picture")
    with pytest.raises(
        ManifestError, match=r"2 of 10 pictures.*more than 10%.*\n  '2.png': "
    ) as caught:
        look(ten)
    assert "'5.png': " in str(caught.value)


def test_only_the_first_five_reasons_are_listed(ten: Manifest) -> None:
    for number in range(10):
        (ten.root / f"{number}.png").write_text("no picture")
    with pytest.raises(ManifestError) as caught:
        look(ten)
    assert str(caught.value).count("\n") == 5


def test_an_unchanged_file_is_not_opened_again(
    ten: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(ten)
    monkeypatch.setattr(Path, "open", refuse)
    again = look(ten, refuse)
    pd.testing.assert_frame_equal(first.manifest.rows, again.manifest.rows)
    assert first.side_px == again.side_px


def test_the_shorter_side_in_the_middle_is_told(tmp_path: Path) -> None:
    for number, size in enumerate([(40, 90), (50, 44), (60, 41), (300, 200), (10, 10)]):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    manifest = rows_of(tmp_path, {f"{number}.png": "cat" for number in range(5)})
    assert look(manifest).side_px == 41


def test_a_file_that_changed_is_looked_at_again(ten: Manifest) -> None:
    first = look(ten).manifest.rows["content"]
    seen: list[str] = []

    def note(row: Row) -> Pixels:
        seen.append(row.path.name)
        return read(row)

    path = ten.root / "4.png"
    path.write_bytes(path.read_bytes() + b"!")
    os.utime(ten.root / "7.png", (1, 1))
    changed = look(ten, note).manifest.rows["content"]
    assert sorted(seen) == ["4.png", "7.png"]
    assert np.flatnonzero((first != changed).to_numpy()).tolist() == [4]


def test_a_file_written_just_now_is_not_trusted_yet(tmp_path: Path, write_picture: Write) -> None:
    labels = {"a.png": "cat", "b.png": "dog"}
    for name in labels:
        write_picture(name)
    look(rows_of(tmp_path, labels))
    with pytest.raises(AssertionError, match="was read"):
        look(rows_of(tmp_path, labels), refuse)


def test_another_reader_looks_for_itself(ten: Manifest) -> None:
    look(ten, reader="one")
    with pytest.raises(AssertionError, match="was read"):
        look(ten, refuse, reader="two")


def test_broken_files_are_tried_again(ten: Manifest) -> None:
    def away(row: Row) -> Pixels:
        if row.path.name == "6.png":
            raise ImageError("away for a moment")
        return read(row)

    assert look(ten, away).broken == (("6.png", "away for a moment"),)
    assert look(ten).broken == ()


def test_the_users_own_cache_is_used_where_none_is_given(
    ten: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path / "mine"))
    inspect(ten, read, reader="r", progress=Silent())
    assert any((tmp_path / "mine").iterdir())
    inspect(ten, refuse, reader="r", progress=Silent())


def test_a_mistake_in_a_reader_is_not_hidden(ten: Manifest) -> None:
    with pytest.raises(ZeroDivisionError):
        look(ten, lambda _: np.zeros((1 // 0, 1, 1)))


def test_what_was_seen_before_an_interrupt_is_kept(ten: Manifest) -> None:
    def interrupted(row: Row) -> Pixels:
        if row.path.name == "8.png":
            raise KeyboardInterrupt
        return read(row)

    with pytest.raises(KeyboardInterrupt):
        look(ten, interrupted)
    seen: set[str] = set()

    def note(row: Row) -> Pixels:
        seen.add(row.path.name)
        return read(row)

    look(ten, note)
    assert seen == {"8.png", "9.png"}


def test_progress_counts_the_files_that_are_opened(ten: Manifest) -> None:
    told: list[tuple[str, int, str]] = []
    counted: list[int] = []

    class Counting(Silent):
        @contextmanager
        def step(self, what: str, total: int, unit: str) -> Iterator[Step]:
            told.append((what, total, unit))
            yield self

        def advance(self, count: int = 1, note: str = "") -> None:  # a Step
            counted.append(count)

    for _ in range(2):
        inspect(ten, read, reader="r", progress=Counting(), cache=ten.root / ".cache")
    assert told == [("inspect", 10, "files")]
    assert sum(counted) == 10


def test_files_are_read_side_by_side(ten: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    together = threading.Barrier(2, timeout=5)

    def meet(row: Row) -> Pixels:
        together.wait()
        return read(row)

    inspected = inspect(ten, meet, reader="r", progress=Silent(), cache=ten.root / ".cache")
    assert len(inspected.manifest) == 10


def keys_by_image(manifest: Manifest) -> dict[str, str]:
    rows = look(manifest).manifest.rows
    return dict(zip(rows["image"], rows["key"], strict=True))


def test_rows_of_equal_content_are_numbered_by_label_and_split(
    tmp_path: Path, write_picture: Write
) -> None:
    for name in "abcd":
        write_picture(f"{name}.png", seed=1)
    labels = {"a.png": "dog", "b.png": "dog", "c.png": "cat", "d.png": "dog"}
    manifest = rows_of(tmp_path, labels, split=["train", "test", "train", "test"])
    keys = keys_by_image(manifest)
    stem = keys["c.png"]
    assert keys == {
        "c.png": stem,
        "b.png": f"{stem}-2",
        "d.png": f"{stem}-3",
        "a.png": f"{stem}-4",
    }


def test_a_box_is_part_of_the_key(tmp_path: Path, write_picture: Write) -> None:
    write_picture("a.png", seed=1)
    boxes = [Box(0, 0, 2, 2), Box(4, 4, 8, 8.5), Box(4, 4, 8, 8.5)]
    table = pd.DataFrame({"image": ["a.png"] * 3, "label": ["x", "y", "y"], "box": boxes})

    for _ in range(2):
        rows = look(Manifest(tmp_path, table, ("x", "y"))).manifest.rows
        stem = rows["content"][0]
        one, two = f"{stem}@0.0,0.0,2.0,2.0", f"{stem}@4.0,4.0,8.0,8.5"
        assert rows["key"].tolist() == [one, two, f"{two}-2"]
        assert rows["pixels"].nunique() == 2


def test_a_box_beside_the_picture_is_broken_and_says_where_it_is(
    tmp_path: Path, write_picture: Write
) -> None:
    write_picture("a.png", seed=1)
    boxes = [*[Box(0, 0, 2, side) for side in range(1, 9)] * 2, Box(8, 0, 9, 1)]
    table = pd.DataFrame({"image": "a.png", "label": "x", "box": boxes})
    found = look(Manifest(tmp_path, table, ("x",)))
    assert len(found.manifest) == 16
    ((image, reason),) = found.broken
    assert image == "a.png"
    assert reason == (
        "box 8.0,0.0,9.0,1.0: has 8 x 8 px, and the box 8.0,0.0,9.0,1.0 holds none of them"
    )


def test_rows_of_one_parquet_file_are_told_apart_by_their_bytes(
    tmp_path: Path, write_picture: Write
) -> None:
    content = [write_picture(f"{seed}.png", seed=seed).read_bytes() for seed in (1, 2, 1)]
    pq.write_table(pa.table({"image": content}), tmp_path / "all.parquet")
    table = pd.DataFrame({"image": "all.parquet", "label": "x", "record": [0, 1, 2]})
    alone = pd.DataFrame({"image": ["1.png", "2.png", "1.png"], "label": "x"})
    for _ in range(2):  # the second time from memory
        rows = look(Manifest(tmp_path, table, ("x",))).manifest.rows
        files = look(Manifest(tmp_path, alone, ("x",))).manifest.rows
        assert rows[["content", "pixels", "key"]].equals(files[["content", "pixels", "key"]])


@pytest.mark.parametrize("rename", [{}, {"p1": "p3"}, {"p1": "p2", "p2": "p1"}])
def test_the_digest_does_not_see_how_files_and_groups_are_called(
    tmp_path: Path, write_picture: Write, rename: dict[str, str]
) -> None:
    # Two patients share a picture (seed 1); one of them has another besides (seed 3).
    seeds = {"a.png": 1, "b.png": 2, "c.png": 1, "d.png": 2, "e.png": 3, "f.png": 1}
    groups = ["p1", "p1", "p2", "p2", "p2", ""]
    for folder, names in (("one", list(seeds)), ("two", list(seeds)[::-1])):
        for name, seed in zip(names, seeds.values(), strict=True):
            write_picture(f"{folder}/{name}", seed=seed)
    label_of = {1: "cat", 2: "dog", 3: "dog"}
    labels = [label_of[seed] for seed in seeds.values()]
    one = rows_of(tmp_path / "one", dict(zip(seeds, labels, strict=True)), group=groups)
    renamed = [rename.get(group, group) for group in groups]
    two = rows_of(tmp_path / "two", dict(zip([*seeds][::-1], labels, strict=True)), group=renamed)
    assert look(one).manifest.digest() == look(two).manifest.digest()


def test_a_frame_is_decoded_and_hashed_once_for_all_its_objects(
    tmp_path: Path, write_picture: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [Box(number, 0, number + 2, 2) for number in range(3)]
    labels, decoded = ["cat", "dog", "cat"], []
    for name in ("a.png", "b.png"):
        write_picture(name)

    def read_and_count(path: Path) -> Pixels:
        decoded.append(path.name)
        return read_picture(path)

    monkeypatch.setattr("transfer.images.frames.read_picture", read_and_count)
    table = pd.DataFrame(
        {"image": ["a.png"] * 3 + ["b.png"] * 3, "label": labels * 2, "box": boxes * 2}
    )
    found = look(Manifest(tmp_path, table, ("cat", "dog"))).manifest.rows
    assert sorted(decoded) == ["a.png", "b.png"]
    assert found["content"].nunique() == 2
    assert found["key"].nunique() == 6


def test_what_is_measured_becomes_a_column_and_is_remembered(ten: Manifest) -> None:
    def measure(row: Row, pixels: Pixels) -> dict[str, float]:
        return {"mean": float(pixels.mean())} | ({"cat": 1.0} if row.label == "cat" else {})

    def measured(read: Callable[[Row], Pixels]) -> pd.DataFrame:
        cache = ten.root / ".cache"
        return inspect(
            ten, read, reader="r", progress=Silent(), measure=measure, cache=cache
        ).manifest.rows

    first = measured(read)
    means = [float(read(row).mean()) for row in ten.all_rows()]
    np.testing.assert_array_equal(first["mean"], means)
    assert first["cat"].fillna(0).tolist() == [0, 1] * 5
    pd.testing.assert_frame_equal(measured(refuse), first)
