import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from transfer.catalogue import fetch as room
from transfer.catalogue.card import Card
from transfer.catalogue.fetch import fetch
from transfer.catalogue.places import state_of
from transfer.errors import DataNotFoundError, FetchError, OutputError
from transfer.progress import Silent

Build = Callable[..., Card]


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_data_set_is_downloaded_checked_and_unpacked(
    card: Build, served: Any, told: Any, tmp_path: Path
) -> None:
    assert fetch(card(), tmp_path, told) == tmp_path / "small"
    assert below(tmp_path) == {f"small/{name}" for name in served.pictures}
    assert (tmp_path / "small/set/b/2.png").read_bytes() == served.pictures["set/b/2.png"]
    assert told.lines[0].startswith("fetching   set.zip, 0 MB, from http://127.0.0.1:")
    assert told.lines[1:] == ["checked    set.zip: sha256 as stated by its publishers"]
    assert told.notes == []


def test_what_is_there_is_left_alone(card: Build, served: Any, told: Any, tmp_path: Path) -> None:
    fetch(card(), tmp_path, told)
    (tmp_path / "small/set/a/1.png").write_text("mine")
    told.lines.clear()
    assert fetch(card(), tmp_path, told) == tmp_path / "small"
    assert told.lines == [f"have       A small set is in {tmp_path / 'small'}; nothing was done"]
    assert (tmp_path / "small/set/a/1.png").read_text() == "mine"
    assert len(served.asked) == 1


def test_archives_are_kept_when_asked_and_used_again(
    card: Build, served: Any, told: Any, tmp_path: Path
) -> None:
    fetch(card(), tmp_path, told, keep=True)
    assert (tmp_path / "small.download/set.zip").read_bytes() == served.content
    shutil.rmtree(tmp_path / "small")
    fetch(card(), tmp_path, told)
    assert len(served.asked) == 1
    assert not (tmp_path / "small.download").exists()


def test_a_file_with_another_checksum_is_not_kept(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    wanted = "0" * 64
    expected = card(file={"sha256": wanted})
    seen = hashlib.sha256(served.content).hexdigest()
    with pytest.raises(FetchError) as caught:
        fetch(expected, tmp_path, told)
    assert f"set.zip has sha256 {seen}, not {wanted} as stated by its publishers" in str(
        caught.value
    )
    assert "it was not kept; try again" in str(caught.value)
    assert "https://example.org/small" in str(caught.value)
    assert below(tmp_path) == set()


def test_an_md5_is_checked_where_no_sha256_is_published(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    card()  # fills the server
    digest = hashlib.md5(served.content, usedforsecurity=False).hexdigest()
    fetch(card(file={"sha256": None, "md5": digest}), tmp_path, told)
    assert told.lines[-1] == "checked    set.zip: md5 as stated by its publishers"
    with pytest.raises(FetchError, match="set.zip has md5 "):
        fetch(card(file={"sha256": None, "md5": "0" * 32}), tmp_path / "other", told)


def test_without_a_published_checksum_what_was_found_is_said(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    known = card()
    # Of http, which the test server speaks, a card demands a checksum.
    unknown = known.files[0].model_copy(update={"sha256": None, "stated_by": ""})
    fetch(known.model_copy(update={"files": (unknown,)}), tmp_path, told)
    (warning,) = told.notes
    assert "nobody has published a checksum of set.zip" in warning
    assert warning.endswith(f"its sha256 is {hashlib.sha256(served.content).hexdigest()}")


def test_a_server_that_refuses_is_named_with_the_page(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    expected = card()
    served.statuses = [404]
    with pytest.raises(FetchError, match="404 Not Found. About the data set: https://example.org"):
        fetch(expected, tmp_path, told)
    assert not (tmp_path / "small").exists()


def test_ctrl_c_leaves_the_part_and_nothing_else(card: Build, served: Any, tmp_path: Path) -> None:
    class Interrupted(Silent):
        def warn(self, line: str) -> None:
            raise KeyboardInterrupt

    card()
    served.content = bytes(10**6) + served.content  # no harm to a zip
    expected = card(file={"sha256": hashlib.sha256(served.content).hexdigest()})
    served.cuts = [1 << 17]
    with pytest.raises(KeyboardInterrupt):
        fetch(expected, tmp_path, Interrupted())
    assert below(tmp_path) == {f"small.download/set.zip.part{more}" for more in ("", ".etag")}
    assert state_of(expected, tmp_path) == (False, pytest.approx(0.131, abs=0.001))
    fetch(expected, tmp_path, Silent())
    assert served.starts() == ["", f"bytes={1 << 17}-"]
    assert below(tmp_path) == {f"small/{name}" for name in served.pictures}
    assert state_of(expected, tmp_path) == (True, 0.0)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_half_unpacked_folder_is_never_left_as_if_whole(
    card: Build, told: Any, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch,
    problem: Any,
) -> None:  # fmt: skip
    def break_off(archive: Path, folder: Path, step: object) -> None:
        (folder / "1.png").write_bytes(b"half")
        raise problem

    expected = card()
    monkeypatch.setattr(room, "unpack", break_off)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        fetch(expected, tmp_path, told)
    monkeypatch.undo()
    assert below(tmp_path) == {"small.download/set.zip"}
    fetch(expected, tmp_path, told)
    assert len(served.asked) == 1


def test_an_evil_archive_leaves_no_folder(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    card()
    served.content = served.content.replace(b"set/a/1.png", b"../../1.png")
    digest = hashlib.sha256(served.content).hexdigest()
    with pytest.raises(FetchError, match="'../../1.png', a path that leads out"):
        fetch(card(file={"sha256": digest}), tmp_path / "data", told)
    assert below(tmp_path) == {"data/small.download/set.zip"}


def test_a_disk_that_is_too_small_is_refused_before(
    card: Build, told: Any, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, disk = card(file={"megabytes": 40.0}), SimpleNamespace(free=250_000_000)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: disk)
    with pytest.raises(OutputError, match="80 MB are needed .*to download .* 50 MB to spare"):
        fetch(expected, tmp_path, told)
    assert served.asked == []
    disk.free = 281_000_000
    fetch(expected, tmp_path, told)


def test_two_at_once_are_refused(card: Build, told: Any, tmp_path: Path) -> None:
    (tmp_path / "small.download").mkdir()
    with (
        FileLock(tmp_path / "small.download/lock"),
        pytest.raises(FetchError, match="another process is fetching into '.*small.download'"),
    ):
        fetch(card(), tmp_path, told)


def test_a_place_below_a_file_is_refused(card: Build, told: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="small.download' cannot be read or written: .*Not a dir"):
        fetch(card(), tmp_path / "file", told)


BY_HAND = {"account": "Register, and download it.", "file": {"url": None}}


def test_what_needs_an_account_says_what_to_do(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        fetch(card(**BY_HAND), tmp_path, told)
    assert "Register, and download it. (https://example.org/small)" in str(caught.value)
    assert f"Put set.zip into '{tmp_path / 'small.download'}', and type this again" in str(
        caught.value
    )
    assert served.asked == []


def test_what_was_got_by_hand_is_checked_and_unpacked(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    expected, file = card(**BY_HAND), tmp_path / "small.download/set.zip"
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(FetchError, match="remove '.*set.zip' and try again"):
        fetch(expected, tmp_path, told)
    assert file.read_bytes() == b"something else"  # it is theirs
    file.write_bytes(served.content)
    fetch(expected, tmp_path, told)
    assert below(tmp_path) == {f"small/{name}" for name in served.pictures}
    assert served.asked == []


def test_a_file_that_is_no_archive_lies_beside(
    card: Build, told: Any, tmp_path: Path, served: Any
) -> None:
    whole = card()
    digest = hashlib.sha256(served.content).hexdigest()
    table = {
        "name": "pairs.txt", "url": served.url, "megabytes": 0.1, "sha256": digest,
        "stated_by": "its publishers", "into": "set",
    }  # fmt: skip
    files = [whole.files[0].model_dump(), table]
    fetch(Card.model_validate({**whole.model_dump(), "files": files}), tmp_path, told)
    assert (tmp_path / "small/set/pairs.txt").read_bytes() == served.content


def test_an_archive_of_another_shape_is_said(card: Build, told: Any, tmp_path: Path) -> None:
    fetch(card(data="pictures"), tmp_path, told)
    (warning,) = told.notes
    assert "speaks of 'pictures', which is not in" in warning
    assert "it holds set: give --data the right one" in warning
