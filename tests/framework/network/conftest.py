"""No weights on this machine but those that a test puts there."""

from pathlib import Path

import pytest
from huggingface_hub import constants


@pytest.fixture
def weights_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder in place of the caches of timm's downloads: hub/ and checkpoints/."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path
