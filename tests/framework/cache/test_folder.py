from pathlib import Path

import numpy as np
import pytest

from transfer.cache.block import as_names
from transfer.cache.folder import cache_folder, clear, folder_of, is_private, make_private, used
from transfer.cache.row_store import RowStore
from transfer.errors import OutputError
from transfer.samples.seen_files import FileState, SeenFiles


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A cache of 3 rows of pixels of 300 bytes each, and of one digest."""
    store = RowStore("pixels", 10**6, pytest.fail, tmp_path)
    with store.writer("key", 3, of=3, memory=False) as writer:
        for name in as_names("abc").tolist():
            writer.append(name, np.zeros((10, 10, 3), np.uint8))
        writer.publish()
    state = FileState("/a.png", "", 1, 1)
    SeenFiles(folder_of("digests", tmp_path), "r").remember([(state, "1 2")])
    return tmp_path


def test_the_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSFER_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("TRANSFER_CACHE", "")
    assert cache_folder().is_absolute()


def test_what_is_there_is_listed_by_kind(filled: Path) -> None:
    (filled / "unrelated").write_bytes(bytes(1000))
    pixels, features, digests = used(filled)
    assert [pixels.kind, features.kind, digests.kind] == ["pixels", "features", "digests"]
    files = [path for path in folder_of("pixels", filled).rglob("*") if path.is_file()]
    assert pixels.size == sum(path.stat().st_size for path in files) > 900
    assert (features.size, features.files, features.last) == (0, 0, None)
    assert digests.files == 1
    assert digests.size > 0


def test_what_an_older_version_left_is_listed_and_cleared_as_well(tmp_path: Path) -> None:
    (tmp_path / "features-0").mkdir()
    (tmp_path / "features-0" / "old.npy").write_bytes(bytes(50))
    assert clear("features", tmp_path).size == 50
    assert list(tmp_path.iterdir()) == []


def test_clearing_one_kind_leaves_the_others(filled: Path) -> None:
    before = used(filled)
    assert clear("pixels", filled) == before[0]
    assert [kind.size for kind in used(filled)] == [0, 0, before[2].size]
    assert clear("pixels", filled).size == 0


def test_what_is_mapped_can_be_read_after_it_was_cleared(filled: Path) -> None:
    (block,) = RowStore("pixels", 10**6, pytest.fail, filled).blocks("key", as_names("abc"))
    clear("pixels", filled)
    assert not block.rows.any()


def test_what_cannot_be_removed_is_named(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("transfer.cache.folder.shutil.rmtree", refuse)
    with pytest.raises(OutputError, match=r"cannot remove '.*pixels-1': Permission denied"):
        clear("pixels", filled)


def test_a_folder_is_made_private_even_if_others_could_look_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / "new")
    make_private(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "new")] == [0o700] * 2


def test_it_is_known_whether_others_can_look(filled: Path) -> None:
    assert is_private(filled)
    folder_of("digests", filled).chmod(0o750)
    assert not is_private(filled)
