"""`transfer cache`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transfer.cache.folder import cache_folder, folder_of
from transfer.cache.row_store import RowStore

pytestmark = pytest.mark.usefixtures("own_caches")
Command = Callable[..., Any]


def fill(what: str, rows: int) -> None:
    """Keep so many rows of a megabyte."""
    store = RowStore(what, 10**9, pytest.fail)  # type: ignore[arg-type]
    with store.writer("key", rows, of=rows, memory=False) as writer:
        for number in range(rows):
            writer.append(f"{number}".encode(), np.zeros(10**6, np.uint8))
        writer.publish()


def lines(typed: Any) -> dict[str, str]:
    """Return what was printed by the first word of each line."""
    assert typed.code == 0
    return {line.split(maxsplit=1)[0]: line for line in typed.out.splitlines() if line.strip()}


def test_what_is_kept_is_listed_by_kind(command_line: Command) -> None:
    fill("pixels", 3)
    said = lines(command_line("cache"))
    assert f"{cache_folder()}; nobody else can look into it" in said["cache"]
    assert "3.0 MB" in said["pixels"]
    assert "sensitive" in said["pixels"]
    assert "0.0 MB" in said["features"]
    assert "transfer cache clear [pixels|features|digests]" in said["next"]
    folder_of("pixels").chmod(0o755)
    assert "OTHERS CAN LOOK INTO IT" in lines(command_line("cache"))["cache"]


def test_clearing_says_what_it_freed(command_line: Command) -> None:
    fill("pixels", 3)
    fill("features", 2)
    said = lines(command_line("cache", "clear", "pixels"))
    assert said["removed"] == "removed    pixels: 3 files"
    assert said["freed"] == "freed      3.0 MB"
    assert "freed      2.0 MB" in command_line("cache", "clear").out
    assert list(cache_folder().iterdir()) == []


def test_another_kind_is_refused_by_name(command_line: Command, tmp_path: Path) -> None:
    typed = command_line("cache", "clear", "pixel")
    assert typed.code == 2
    assert "nothing called 'pixel' is kept; there are pixels, features, digests" in typed.err
