import sys
from pathlib import Path

import pytest

from transfer.errors import MissingPackageError
from transfer.images.extras import import_extra


def test_what_is_installed_is_imported() -> None:
    assert import_extra("json.decoder", "medical") is sys.modules["json.decoder"]


def test_what_is_missing_is_said_with_its_pip_line() -> None:
    with pytest.raises(MissingPackageError, match=r"nowhere.*'resnet-transfer\[satellite\]'"):
        import_extra("nowhere.inside", "satellite")


def test_a_package_that_lacks_something_itself_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import nowhere")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        import_extra("lacking", "medical")
