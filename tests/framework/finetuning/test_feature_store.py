import os
import threading
from pathlib import Path

import numpy as np
import pytest

from transfer.errors import OutputError
from transfer.finetuning.feature_store import Block, FeatureStore

WIDTH, KEY = 4, "key"


def block(*names: str, seed: int = 0, dtype: type = np.float16) -> Block:
    rng = np.random.default_rng(seed)
    return Block(names, rng.normal(size=(len(names), WIDTH)).astype(dtype))


def store(folder: Path, told: list[str] | None = None, limit: int = 10**6) -> FeatureStore:
    return FeatureStore(folder, limit, (told if told is not None else []).append)


def places(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("features.npy"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_was_kept_is_found_by_its_rows(tmp_path: Path, dtype: type) -> None:
    written = block("a", "b", dtype=dtype)
    kept = store(tmp_path).add(KEY, written)
    assert np.array_equal(kept.features, written.features)
    (found,) = store(tmp_path).blocks(KEY, ["b", "unknown"])
    assert found.names == ("a", "b")
    assert isinstance(found.features, np.memmap)
    assert found.features.dtype == dtype
    assert np.array_equal(found.features, written.features)


def test_another_key_or_other_rows_find_nothing(tmp_path: Path) -> None:
    store(tmp_path).add(KEY, block("a", "b"))
    assert store(tmp_path).blocks("other", ["a"]) == []
    assert store(tmp_path).blocks(KEY, ["c"]) == []


@pytest.mark.parametrize("harm", ["cut features", "cut rows", "flip a bit", "no numpy file"])
def test_a_damaged_block_is_thrown_away_and_said(tmp_path: Path, harm: str) -> None:
    store(tmp_path).add(KEY, block("a", "b"))
    store(tmp_path).add(KEY, block("b", "c"))
    place = next(p for p in places(tmp_path) if b"a" in (p / "rows.npy").read_bytes()[-72:])
    file = place / ("rows.npy" if harm == "cut rows" else "features.npy")
    content = bytearray(file.read_bytes())
    if harm == "flip a bit":
        content[-1] ^= 1
    elif harm == "no numpy file":
        content[:6] = b"nonono"
    else:
        del content[-3:]
    file.write_bytes(content)
    told: list[str] = []
    (left,) = store(tmp_path, told).blocks(KEY, ["a", "b"])
    assert left.names == ("b", "c")
    assert [place.name in line and "computed anew" in line for line in told] == [True]
    assert not place.exists()


def test_damage_in_rows_that_nobody_asks_for_is_not_looked_for(tmp_path: Path) -> None:
    store(tmp_path).add(KEY, block("a", "b"))
    (place,) = places(tmp_path)
    content = bytearray((place / "features.npy").read_bytes())
    content[-1] ^= 1  # in the row of b
    (place / "features.npy").write_bytes(content)
    told: list[str] = []
    assert len(store(tmp_path, told).blocks(KEY, ["a"])) == 1
    assert told == []


def test_a_process_that_dies_while_writing_leaves_nothing_to_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path, _: object) -> None:
        if path.name == "rows.npy":
            raise KeyboardInterrupt
        path.write_bytes(b"half")

    monkeypatch.setattr("transfer.finetuning.feature_store.np.save", die)
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path).add(KEY, block("a"))
    monkeypatch.undo()
    assert store(tmp_path).blocks(KEY, ["a"]) == []
    # what even the end of the process could not clear away
    left = tmp_path / "features-2" / KEY / ".unfinished-x"
    left.mkdir(parents=True)
    assert store(tmp_path).blocks(KEY, ["a"]) == []
    os.utime(left, (0, 0))
    store(tmp_path).add(KEY, block("a"))
    assert not left.exists()


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    small = store(tmp_path)
    for age, name in enumerate("abc"):
        small.add(KEY, block(name))
        (place,) = (p for p in places(tmp_path) if p.stat().st_mtime > 1e9)
        os.utime(place, (age, age))
    size = sum(file.stat().st_size for file in places(tmp_path)[0].iterdir())
    assert len(small.blocks(KEY, ["a"])) == 1  # used just now
    store(tmp_path, limit=2 * size).add(KEY, block("d"))
    found = small.blocks(KEY, list("abcd"))
    assert sorted(block.names for block in found) == [("a",), ("d",)]


def test_a_block_larger_than_the_limit_is_given_back_and_not_kept(tmp_path: Path) -> None:
    written, told = block("a", "b"), list[str]()
    assert store(tmp_path, told, limit=written.features.nbytes - 1).add(KEY, written) is written
    assert "more than machine.features_gb = " in told[0]
    assert places(tmp_path) == []


def test_where_nothing_can_be_written_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> None:
        raise OutputError(f"{str(folder)!r} cannot be written: disk full")

    monkeypatch.setattr("transfer.finetuning.feature_store.new_folder", full)
    written, told = block("a"), list[str]()
    assert store(tmp_path, told).add(KEY, written) is written
    assert "features are not kept: " in told[0]
    (tmp_path / "file").touch()
    with store(tmp_path / "file").alone(KEY):
        pass


def test_processes_wait_for_each_other(tmp_path: Path) -> None:
    told: list[str] = []
    first, second = store(tmp_path), store(tmp_path, told)
    order: list[str] = []
    inside, waits = threading.Event(), threading.Event()
    told_by = second._warn
    second._warn = lambda line: (told_by(line), waits.set())

    def hold() -> None:
        with first.alone(KEY):
            inside.set()
            waits.wait()
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait()
    with second.alone("another key"):
        pass
    with second.alone(KEY):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert told == ["another process is computing the same features; waiting for it"]
