import pytest


@pytest.fixture(autouse=True)
def _data_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands be given any name of a folder: what would read it is not called here."""
    monkeypatch.setattr("transfer.cli.options.check_there", lambda _: None)
