import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transfer.catalogue import download as room
from transfer.catalogue.download import download
from transfer.errors import FetchError
from transfer.progress import Silent

CHUNK = 1 << 16  # what is written at once
CONTENT = bytes(range(256)) * 8_000  # some thirty of them


@pytest.fixture
def get(served: Any, tmp_path: Path) -> Callable[[], bytes]:
    """Download what is served, two MB, and return it."""
    served.content = CONTENT

    def get() -> bytes:
        download(served.url, tmp_path / "set.zip", Silent())
        return (tmp_path / "set.zip").read_bytes()

    return get


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_in_one_answer(served: Any, get: Any, tmp_path: Path) -> None:
    assert get() == CONTENT
    assert served.starts() == [""]
    assert left(tmp_path) == ["set.zip"]


def test_a_line_that_is_cut_goes_on_from_there(served: Any, get: Any) -> None:
    served.cuts = [10 * CHUNK, 15 * CHUNK]
    assert get() == CONTENT
    assert served.starts() == ["", f"bytes={10 * CHUNK}-", f"bytes={15 * CHUNK}-"]
    assert [asked.get("If-Range") for asked in served.asked] == [None, '"one"', '"one"']


def test_another_process_goes_on_as_well(served: Any, get: Any, tmp_path: Path) -> None:
    served.cuts = [CHUNK]

    class Interrupted(Silent):
        def warn(self, line: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(served.url, tmp_path / "set.zip", Interrupted())
    assert left(tmp_path) == ["set.zip.part", "set.zip.part.etag"]
    assert (tmp_path / "set.zip.part").read_bytes() == CONTENT[:CHUNK]
    assert get() == CONTENT
    assert served.starts() == ["", f"bytes={CHUNK}-"]
    assert left(tmp_path) == ["set.zip"]


def test_a_file_that_changed_meanwhile_starts_anew(served: Any, get: Any, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"of another file")
    (tmp_path / "set.zip.part.etag").write_text('"zero"')
    assert get() == CONTENT
    assert served.asked[0]["If-Range"] == '"zero"'


def test_a_server_that_does_not_know_if_range_is_seen_through(
    served: Any, get: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "set.zip.part").write_bytes(b"of another file")
    (tmp_path / "set.zip.part.etag").write_text('"zero"')
    sent = room.requests.get  # type: ignore[attr-defined]

    def without(url: str, headers: dict[str, str], **rest: Any) -> Any:
        asked = {name: value for name, value in headers.items() if name != "If-Range"}
        return sent(url, headers=asked, **rest)

    monkeypatch.setattr(room.requests, "get", without)  # type: ignore[attr-defined]
    assert get() == CONTENT
    assert served.starts() == ["bytes=15-", ""]


def test_a_server_without_ranges_sends_all_again(served: Any, get: Any) -> None:
    served.ranges, served.cuts = False, [5 * CHUNK]
    assert get() == CONTENT
    assert served.starts() == ["", f"bytes={5 * CHUNK}-"]


def test_a_part_of_which_nothing_is_known_is_not_continued(served: Any, get: Any) -> None:
    served.etag, served.cuts = None, [5 * CHUNK]
    assert get() == CONTENT
    assert served.starts() == ["", ""]


def test_a_part_that_was_whole_already_is_taken(served: Any, get: Any, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT)
    (tmp_path / "set.zip.part.etag").write_text('"one"')
    assert get() == CONTENT
    assert served.starts() == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_given_up(served: Any, get: Any, tmp_path: Path) -> None:
    (tmp_path / "set.zip.part").write_bytes(CONTENT + b"more")
    (tmp_path / "set.zip.part.etag").write_text('"one"')
    assert get() == CONTENT


def test_a_passing_trouble_of_the_server_is_waited_for(served: Any, get: Any) -> None:
    served.statuses = [503, 429]
    assert get() == CONTENT
    assert len(served.asked) == 3


def test_a_trouble_that_stays_ends_with_what_was_tried(served: Any, get: Any) -> None:
    served.statuses = [503] * 9
    with pytest.raises(FetchError, match="the server says 503 .*; tried 4 times. What has come is"):
        get()
    assert len(served.asked) == 4


def test_a_line_that_is_cut_again_and_again_is_no_trouble_while_something_comes(
    served: Any, get: Any
) -> None:
    served.cuts = [CHUNK * number for number in range(1, 12)]
    assert get() == CONTENT
    assert len(served.asked) == 12


def test_a_file_that_is_not_there_is_not_asked_for_twice(
    served: Any, get: Any, tmp_path: Path
) -> None:
    served.statuses = [404]
    with pytest.raises(FetchError, match=f"{served.url}: the server says 404 Not Found"):
        get()
    assert len(served.asked) == 1
    assert left(tmp_path) == []


def test_an_address_that_leads_away_from_https_is_refused(
    served: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = room.requests.get  # type: ignore[attr-defined]
    monkeypatch.setattr(room.requests, "get", lambda _, **rest: sent(served.url, **rest))  # type: ignore[attr-defined]
    with pytest.raises(FetchError, match="https://example.org/set.zip leads to http://127.0.0.1"):
        download("https://example.org/set.zip", tmp_path / "set.zip", Silent())
    assert left(tmp_path) == []


def test_a_silent_server_is_given_up(
    served: Any, get: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_SILENCE", (1.0, 0.05))
    served.silent = True
    with pytest.raises(FetchError, match="the server is silent: .*timed out.*; tried 4 times"):
        get()


def test_no_server_at_all_is_said(served: Any, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="the line is broken: .*refused.*; tried 4 times"):
        download("http://127.0.0.1:9/set.zip", tmp_path / "set.zip", Silent())


class Full(io.FileIO):
    """A file on a disk that takes one chunk."""

    def write(self, chunk: Any) -> int:
        if self.tell():
            raise OSError(28, "No space left on device")
        return super().write(chunk)


def test_a_full_disk_keeps_what_has_come(
    served: Any, get: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def filling(path: Path, mode: str = "r", **named: Any) -> Any:
        return Full(path, mode) if mode == "ab" else opened(path, mode, **named)

    monkeypatch.setattr(Path, "open", filling)
    with pytest.raises(FetchError, match="cannot write '.*set.zip.part': the disk is full. What"):
        get()
    monkeypatch.undo()
    assert (tmp_path / "set.zip.part").read_bytes() == CONTENT[:CHUNK]
    assert left(tmp_path) == ["set.zip.part", "set.zip.part.etag"]


def test_an_archive_is_not_unpacked_on_the_way(served: Any, get: Any) -> None:
    served.content = gzip.compress(CONTENT)
    served.encoding = "gzip"
    assert get() == served.content
