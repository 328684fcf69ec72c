import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from transfer.tracking.events import Kept, ModelKept, Numbers, Started, Tagged, to_line
from transfer.tracking.record import Position, Record, records_in
from transfer.tracking.tracker import RunDescription


def _start(time: int = 5) -> Started:
    return Started(time=time, destination="http://host", run=RunDescription("demo", "first"))


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record.create(tmp_path, _start())


def test_events_come_back_in_order_each_with_the_offset_behind_it(record: Record) -> None:
    said = [_start(), Tagged(time=6, tags={"a": "b"}), Numbers(time=7, step=0, values={"c": 1.0})]
    for event in said[1:]:
        record.append(event)

    back = list(record.events())

    assert [event for event, _ in back] == said
    assert [event for event, _ in record.events(back[0][1])] == said[1:]
    assert back[-1][1] == (record.folder / "events.jsonl").stat().st_size


def test_a_line_that_is_still_being_written_is_not_read(record: Record) -> None:
    half = to_line(Tagged(tags={"a": "b"}))[:-5]
    with (record.folder / "events.jsonl").open("ab") as file:
        file.write(half)

    assert [event for event, _ in record.events()] == [_start()]


def test_a_line_torn_by_a_crash_is_passed_over(record: Record) -> None:
    with (record.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "tag\n')
    record.append(Kept(time=9, path="a"))

    assert [event for event, _ in record.events()] == [_start(), Kept(time=9, path="a")]


def test_a_full_disk_leaves_no_half_line(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullDisk:
        """A file that takes ten bytes of whatever it is given."""

        def __init__(self, file: object) -> None:
            self._file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, line: bytes) -> int:
            return self._file.write(line[:10])

    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda *a, **k: FullDisk(opened(*a, **k)))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        record.append(Tagged(tags={"a": "b"}))
    monkeypatch.undo()

    record.append(Kept(time=9, path="a"))
    assert [event for event, _ in record.events()] == [_start(), Kept(time=9, path="a")]


@pytest.mark.parametrize("path", ["", ".", "/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/"])
def test_a_path_that_is_not_relative_is_refused(record: Record, path: str) -> None:
    with pytest.raises(ValueError, match="no relative POSIX path"):
        record.keep(path, b"")
    assert not (record.folder / "files").exists()


def test_a_file_kept_twice_has_its_last_bytes(record: Record) -> None:
    record.keep("figures/a.png", b"one")
    record.keep("figures/a.png", b"two")

    assert record.file("figures/a.png").read_bytes() == b"two"


def test_a_file_that_cannot_be_written_is_not_told_of(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="full"):
        record.keep("a.txt", b"bytes")

    assert [event for event, _ in record.events()] == [_start()]
    assert not record.file("a.txt").exists()


def test_a_model_is_kept_whole(record: Record, model_files: Callable[[Path], None]) -> None:
    record.keep_model(model_files)

    assert sorted(path.name for path in record.model.iterdir()) == [
        "model.json",
        "network.safetensors",
    ]
    assert isinstance(list(record.events())[-1][0], ModelKept)


def test_half_a_model_is_no_model(record: Record) -> None:
    def half(to: Path) -> None:
        (to / "model.json").write_text("{")
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(OSError, match="full"):
        record.keep_model(half)

    assert not record.model.exists()
    assert [event for event, _ in record.events()] == [_start()]
    assert sorted(path.name for path in record.folder.iterdir()) == ["events.jsonl"]


def test_one_at_a_time_has_a_record(record: Record) -> None:
    other = Record(record.folder)

    assert not other.lock()
    assert other.is_locked()
    record.unlock()
    assert not other.is_locked()
    assert other.lock()


def test_the_position_outlives_the_process(record: Record) -> None:
    assert Record(record.folder).position == Position()

    record.deliver_to(Position(offset=12, run_id="abc", experiment_id="1"))

    assert Record(record.folder).position == Position(offset=12, run_id="abc", experiment_id="1")


def test_a_removed_record_leaves_nothing(record: Record, tmp_path: Path) -> None:
    record.keep("a/b.txt", b"bytes")
    record.remove()

    assert list(tmp_path.iterdir()) == []
    assert list(record.events()) == []


def test_records_are_found_oldest_first_whatever_they_are_called(tmp_path: Path) -> None:
    made = [Record.create(tmp_path, _start(time)) for time in (30, 10, 20)]
    (tmp_path / "no record").mkdir()

    found = [(record.id, first.time) for record, first in records_in(tmp_path)]

    assert found == [(made[1].id, 10), (made[2].id, 20), (made[0].id, 30)]
