import os
import sys
from pathlib import Path

import pytest

from transfer.promises.fresh import Fresh


def test_another_process_is_asked_which_finds_modules_where_this_one_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fresh = Fresh()
    first = fresh.ask(os.getpid)
    assert first != os.getpid()
    (tmp_path / "written_later.py").write_text("def double(number):\n    return 2 * number\n")
    monkeypatch.syspath_prepend(tmp_path)
    from written_later import double  # noqa: PLC0415  # it is there from here on

    assert fresh.ask(double, 4) == 8
    assert fresh.ask(os.getpid) == first
    fresh.close()
    assert fresh.ask(os.getpid) != first
    fresh.close()
    del sys.modules["written_later"]


def test_what_cannot_travel_is_refused_here() -> None:
    with pytest.raises((AttributeError, TypeError), match="pickle"):
        Fresh().ask(lambda: 1)
