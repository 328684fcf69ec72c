import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from transfer.samples.seen_files import FileState, SeenFiles

STATES = [FileState(f"/data/{number} ü.jpg", "", 100 + number, 1_000) for number in range(5)]
FOUND = [f"{number:016x} ü" for number in range(5)]


def filled(folder: Path) -> SeenFiles:
    memory = SeenFiles(folder, "reader")
    memory.remember(zip(STATES, FOUND, strict=True))
    return memory


def database(folder: Path) -> Path:
    (path,) = folder.glob("*.sqlite")
    return path


def test_what_was_found_is_recalled_in_the_order_of_the_question(tmp_path: Path) -> None:
    memory = filled(tmp_path / "new" / "folder")
    assert memory.recall(STATES[::-1]) == FOUND[::-1]
    assert memory.recall([]) == []


@pytest.mark.parametrize(
    "change", [{"path": "/other"}, {"part": "0 0 1 1"}, {"size": 1}, {"mtime_ns": 1_001}]
)
def test_a_file_in_another_state_is_new(tmp_path: Path, change: dict[str, object]) -> None:
    memory = filled(tmp_path)
    assert memory.recall([STATES[0]._replace(**change), STATES[1]]) == [None, FOUND[1]]


def test_the_latest_state_replaces_the_one_before(tmp_path: Path) -> None:
    memory = filled(tmp_path)
    changed = STATES[0]._replace(size=7)
    memory.remember([(changed, FOUND[4])])
    assert memory.recall([changed, STATES[0]]) == [FOUND[4], None]


def test_parts_of_one_file_are_kept_apart(tmp_path: Path) -> None:
    memory = SeenFiles(tmp_path, "reader")
    parts = [STATES[0]._replace(part=part) for part in ("left", "right")]
    memory.remember(zip(parts, FOUND[:2], strict=True))
    assert memory.recall(parts) == FOUND[:2]


def test_readers_do_not_share(tmp_path: Path) -> None:
    filled(tmp_path)
    assert SeenFiles(tmp_path, "another").recall(STATES) == [None] * 5


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100, "middle"])
def test_a_damaged_memory_is_thrown_away(tmp_path: Path, damage: bytes | str) -> None:
    memory = filled(tmp_path)
    path = database(tmp_path)
    if isinstance(damage, bytes):
        path.write_bytes(damage)
    else:
        data = bytearray(path.read_bytes())
        data[100:-50] = os.urandom(len(data) - 150)
        path.write_bytes(data)
    assert memory.recall(STATES) == [None] * 5
    memory.remember(zip(STATES, FOUND, strict=True))
    assert memory.recall(STATES) == FOUND


def test_a_place_that_cannot_be_written_to_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = filled(tmp_path / "file" / "cache")
    assert memory.recall(STATES) == [None] * 5


def test_a_table_of_another_shape_only_costs_time(tmp_path: Path) -> None:
    memory = filled(tmp_path)
    path = database(tmp_path)
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE seen (something TEXT)")
    memory.remember(zip(STATES, FOUND, strict=True))
    assert memory.recall(STATES) == [None] * 5


@pytest.mark.slow
def test_four_processes_may_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from transfer.samples.seen_files import FileState, SeenFiles\n"
        "memory, me = SeenFiles(Path(sys.argv[1]), 'reader'), sys.argv[2]\n"
        "for part in range(20):\n"
        "    memory.remember([(FileState(f'/{me}/{part}', '', 1, 1), me + str(part))])\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)])
        for number in range(4)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    states = [FileState(f"/{me}/{part}", "", 1, 1) for me in range(4) for part in range(20)]
    expected = [f"{me}{part}" for me in range(4) for part in range(20)]
    assert SeenFiles(tmp_path, "reader").recall(states) == expected
