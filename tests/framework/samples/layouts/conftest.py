"""Frames in the folder of a test."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Write black frames below the test's folder, and return the folder."""

    def draw(*names: str, size: tuple[int, int] = (100, 50)) -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size).save(path)
        return tmp_path

    return draw
