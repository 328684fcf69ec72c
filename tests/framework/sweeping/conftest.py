"""Studies without a disk: SQLite waits for it at each of the many small steps of a trial."""

from functools import cache

import pytest
from optuna.storages import InMemoryStorage


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database in memory, the same whenever it is opened in this test."""
    storage = cache(lambda _: InMemoryStorage())
    monkeypatch.setattr("transfer.sweeping.study._storage", lambda url, _: storage(url))
    return "in memory"
