"""Small folders of pictures, and manifests that look inspected without any file."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from transfer.samples.manifest import Manifest

Write = Callable[..., Path]
Build = Callable[..., Manifest]


@pytest.fixture
def write_picture(tmp_path: Path) -> Write:
    """Write a picture of noise below the test's folder; the same seed gives the same pixels."""

    def write(name: str, *, seed: int | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(zlib.crc32(name.encode()) if seed is None else seed)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path, "PNG")
        return path

    return write


@pytest.fixture
def inspected() -> Build:
    """Build a manifest of rows that differ in content, unless told otherwise."""

    def build(labels: Sequence[str], **columns: Sequence[str]) -> Manifest:
        names = [f"{number * 7919 % 99991:016x}" for number in range(1, len(labels) + 1)]
        table = {"image": [f"{name}.png" for name in names], "label": list(labels)}
        table |= {"key": names, "content": names, "pixels": names}
        table |= {name: list(values) for name, values in columns.items()}
        return Manifest(Path("data"), pd.DataFrame(table), tuple(sorted(set(labels))))

    return build
