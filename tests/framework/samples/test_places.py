import os
from pathlib import Path

import pytest

from transfer.images.places import Place
from transfer.samples import places
from transfer.samples.places import locate_files

THERE = Place("EPSG:32633", 1.5, 2.5, 15.0, 0.1, (10.0, 10.0))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were opened; those that begin with "n" lie nowhere."""
    names: list[str] = []

    def locate(paths: list[Path]) -> list[Place | None]:
        asked = [path.name for path in paths]
        names.extend(asked)
        return [None if name.startswith("n") else THERE for name in asked]

    monkeypatch.setattr(places, "locate", locate)
    return names


def test_only_new_and_changed_files_are_opened(tmp_path: Path, opened: list[str]) -> None:
    files = [tmp_path / name for name in ("a.tif", "nowhere.tif", "b.tif")]
    for file in files:
        file.touch()
        os.utime(file, (1e9, 1e9))  # what is written this very moment is not remembered
    cache = tmp_path / "cache"
    assert locate_files(files, cache) == [THERE, None, THERE]
    assert opened == ["a.tif", "nowhere.tif", "b.tif"]
    opened.clear()
    os.utime(files[2], (1e9, 1e9 + 1))
    again = [*files[::-1], tmp_path / "new.tif"]
    assert locate_files(again, cache) == [THERE, None, THERE, None]
    assert opened == ["b.tif", "new.tif"]
