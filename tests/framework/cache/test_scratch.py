from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from transfer.cache.folder import cache_folder
from transfer.cache.scratch import scratch

pytestmark = pytest.mark.usefixtures("own_caches")
LARGE = (1000, 70_000)  # 280 MB


def private() -> int:
    used = psutil.Process().memory_info()
    return int(used.rss - used.shared)


def test_a_large_array_is_no_memory_of_the_process_and_leaves_no_file() -> None:
    before = private()
    array = scratch(LARGE)
    array[:] = 3
    assert array.shape == LARGE
    assert array.dtype == np.float32
    assert array.sum(dtype=np.float64) == 3 * array.size
    assert private() - before < 60_000_000
    assert list(cache_folder().iterdir()) == []


def test_a_small_array_is_in_memory() -> None:
    assert scratch((3, 4)).flags.owndata
    assert not cache_folder().exists()


def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transfer.cache.scratch.reserve", refuse)


def _no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(cache_folder().parent / "file").touch()
    monkeypatch.setenv("TRANSFER_CACHE", str(cache_folder().parent / "file" / "below"))


@pytest.mark.parametrize("harm", [_full, _no_folder])
def test_without_room_on_disk_it_is_in_memory(
    monkeypatch: pytest.MonkeyPatch, harm: Callable[[pytest.MonkeyPatch], None]
) -> None:
    harm(monkeypatch)
    assert scratch(LARGE).flags.owndata
