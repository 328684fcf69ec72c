import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from transfer.cache.block import Block, as_names, locate
from transfer.cache.folder import folder_of
from transfer.cache.row_store import RowStore

WIDTH, KEY = 4, "key"


def rows_of(names: str, seed: int = 0, dtype: type = np.float16) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(len(names), WIDTH)).astype(dtype)


def store(folder: Path, told: list[str] | None = None, limit: int = 10**6) -> RowStore:
    return RowStore("features", limit, (told if told is not None else []).append, folder)


def write(
    kept: RowStore, names: str, rows: Iterable[np.ndarray] | None = None, *, key: str = KEY
) -> list[Block]:
    """Keep one row for each letter of `names`."""
    rows = rows_of(names) if rows is None else rows
    with kept.writer(key, len(names), of=len(names), memory=True) as writer:
        for name, row in zip(names, rows, strict=True):
            writer.append(name.encode(), row)
        return writer.publish()


def names_of(blocks: list[Block]) -> list[str]:
    return sorted(b"".join(block.names.tolist()).decode() for block in blocks)


def places(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.rglob("form.json"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.uint8])
def test_what_was_kept_is_found_by_its_rows(tmp_path: Path, dtype: type) -> None:
    rows = rows_of("ab", dtype=dtype)
    (kept,) = write(store(tmp_path), "ab", rows)
    assert np.array_equal(kept.rows, rows)
    (found,) = store(tmp_path).blocks(KEY, as_names(["b", "unknown"]))
    assert found.names.tolist() == [b"a", b"b"]
    assert found.rows.dtype == dtype
    assert np.array_equal(found.rows, rows)
    assert found.rows.flags.owndata is False  # it is mapped
    with pytest.raises(ValueError, match="read-only"):
        found.rows[0, 0] = 1


def test_each_form_of_rows_is_a_block_of_its_own(tmp_path: Path) -> None:
    rows = {"a": np.zeros(3), "b": np.ones((2, 2), np.uint8), "c": np.ones(3)}
    with store(tmp_path).writer(KEY, 3, of=3, memory=False) as writer:
        assert all(writer.append(name.encode(), row) for name, row in rows.items())
        writer.publish()
    blocks = store(tmp_path).blocks(KEY, as_names("abc"))
    of_block, positions = locate(as_names("abc"), blocks)
    for number, row in enumerate(rows.values()):
        assert np.array_equal(blocks[of_block[number]].rows[positions[number]], row)


def test_rows_are_located_in_any_order_and_what_is_nowhere_too(tmp_path: Path) -> None:
    blocks = [*write(store(tmp_path), "dab"), *write(store(tmp_path), "xc")]
    of_block, positions = locate(as_names("abcdea"), blocks)
    assert of_block.tolist() == [0, 0, 1, 0, -1, 0]
    assert positions.tolist() == [1, 2, 1, 0, -1, 1]


def test_another_key_or_other_rows_find_nothing(tmp_path: Path) -> None:
    write(store(tmp_path), "ab")
    assert store(tmp_path).blocks("other", as_names("a")) == []
    assert store(tmp_path).blocks(KEY, as_names("c")) == []


def cut(file: str) -> Callable[[Path], None]:
    def harm(place: Path) -> None:
        (place / file).write_bytes((place / file).read_bytes()[:-3])

    return harm


def flip(place: Path) -> None:
    content = bytearray((place / "rows.bin").read_bytes())
    content[-1] ^= 1  # of b
    (place / "rows.bin").write_bytes(content)


def no_numpy(place: Path) -> None:
    (place / "index.npy").write_bytes(b"no numpy file")


def other_form(place: Path) -> None:
    (place / "form.json").write_text("[]")


@pytest.mark.parametrize(
    "harm", [cut("rows.bin"), cut("index.npy"), cut("form.json"), flip, no_numpy, other_form]
)
def test_a_damaged_block_is_thrown_away_and_said(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    (bad,) = write(store(tmp_path), "ab")
    write(store(tmp_path), "bc")
    harm(bad.place)
    told: list[str] = []
    left = store(tmp_path, told).blocks(KEY, as_names("ab"))
    assert names_of(left) == ["bc"]
    assert [bad.place.name in line and "made anew" in line for line in told] == [True]
    assert not bad.place.exists()


def test_damage_in_rows_that_nobody_asks_for_is_not_looked_for(tmp_path: Path) -> None:
    (kept,) = write(store(tmp_path), "ab")
    flip(kept.place)
    told: list[str] = []
    assert len(store(tmp_path, told).blocks(KEY, as_names("a"))) == 1
    (unchecked,) = store(tmp_path, told).blocks(KEY, as_names("ab"), check=False)
    assert [unchecked.sound(position) for position in (0, 1)] == [True, False]
    assert told == []


def test_a_process_that_dies_while_writing_leaves_nothing_to_be_found(tmp_path: Path) -> None:
    def rows() -> Iterator[np.ndarray]:
        yield np.zeros(WIDTH)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(store(tmp_path), "ab", rows())
    folder = folder_of("features", tmp_path) / KEY
    assert list(folder.iterdir()) == []
    # what even the end of the process could not clear away
    left = folder / ".unfinished-x"
    left.mkdir(parents=True)
    assert store(tmp_path).blocks(KEY, as_names("a")) == []
    write(store(tmp_path), "b")
    assert left.exists()
    os.utime(left, (0, 0))
    write(store(tmp_path), "a")
    assert not left.exists()


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    small = store(tmp_path)
    for age, name in enumerate("abc"):
        (block,) = write(small, name)
        os.utime(block.place, (age, age))
    size = sum(file.stat().st_size for file in block.place.iterdir())
    assert len(small.blocks(KEY, as_names("a"))) == 1  # used just now
    write(store(tmp_path, limit=2 * size), "d")
    assert names_of(small.blocks(KEY, as_names("abcd"))) == ["a", "d"]


def test_a_set_larger_than_the_limit_stays_in_memory_or_is_not_taken(tmp_path: Path) -> None:
    rows, told = rows_of("ab"), list[str]()
    small = store(tmp_path, told, limit=rows.nbytes - 1)
    (block,) = write(small, "ab", rows)
    assert block.place is None
    assert np.array_equal(block.rows, rows)
    assert "more than machine.features_gb = " in told[0]
    with small.writer(KEY, 1, of=2, memory=False) as writer:
        assert not writer.append(b"a", rows[0])  # one fits, but not the two of the set
        assert writer.publish() == []
    assert places(tmp_path) == []


def test_without_a_limit_to_fill_nothing_is_kept_found_or_said(tmp_path: Path) -> None:
    write(store(tmp_path), "ab")
    told: list[str] = []
    none = store(tmp_path, told, limit=0)
    assert none.blocks(KEY, as_names("ab")) == []
    assert [block.place for block in write(none, "cd")] == [None]
    assert told == []


@pytest.mark.parametrize("free", [0, 10**9])
def test_a_disk_that_is_nearly_full_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(
        "transfer.cache.row_store.shutil.disk_usage", lambda _: SimpleNamespace(free=free)
    )
    rows, told = rows_of("a"), list[str]()
    (block,) = write(store(tmp_path, told), "a", rows)
    assert np.array_equal(block.rows, rows)
    assert "features are not kept in " in told[0]
    assert f"the disk has {free / 1e9:.1f} GB left" in told[0]
    assert places(tmp_path) == []


def test_a_disk_that_gives_out_while_publishing_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transfer.cache.block.np.save", full)
    rows, told = rows_of("ab"), list[str]()
    (block,) = write(store(tmp_path, told), "ab", rows)
    assert np.array_equal(block.rows, rows)
    assert "No space left on device" in told[0]
    assert list(folder_of("features", tmp_path).glob("*/*")) == []


def test_where_nothing_can_be_written_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    rows, told = rows_of("a"), list[str]()
    (block,) = write(store(tmp_path / "file", told), "a", rows)
    assert np.array_equal(block.rows, rows)
    assert len(told) == 1
    with store(tmp_path / "file").alone(KEY):
        pass


def test_nobody_else_may_look(tmp_path: Path) -> None:
    write(store(tmp_path), "a")
    assert folder_of("features", tmp_path).stat().st_mode & 0o777 == 0o700


def test_many_threads_fill_one_block(tmp_path: Path) -> None:
    with store(tmp_path).writer(KEY, 400, of=400, memory=False) as writer:

        def fill(first: int) -> None:
            for number in range(first, 400, 4):
                writer.append(f"{number}".encode(), np.full(3, number))

        threads = [threading.Thread(target=fill, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (block,) = writer.publish()
    names = as_names(str(number) for number in range(400))
    assert block.rows[block.positions(names), 0].tolist() == list(range(400))
    assert len(store(tmp_path).blocks(KEY, names)) == 1  # each agrees with its checksum


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
    assert told == ["another process is making the same features; waiting for it"]
