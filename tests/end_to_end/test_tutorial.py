"""docs/add_a_task.md, followed as it is written: its files are made and its commands are typed."""

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "add_a_task.md"
_STEP = re.compile(
    r'^```\w+ title="(?P<file>[^"]+)"\n(?P<text>[\s\S]*?)^```$|^    (?P<command>\w.*)$',
    re.MULTILINE,
)
_ELSEWHERE = ("pip", "pytest", "cd")


def steps() -> list[tuple[str, str]]:
    """Return what the page has a reader do, in order: ("write FILE", text) or ("type", command)."""
    page = PAGE.read_text(encoding="utf-8")
    found = []
    for match in _STEP.finditer(page):
        if match["file"]:
            found.append((f"write {match['file']}", match["text"]))
        elif match["command"].split()[0] in {"transfer", *_ELSEWHERE}:
            found.append(("type", match["command"]))
    return found


@pytest.fixture
def _store(first: Any, tmp_path: Path) -> None:
    """Spare the seconds of a fresh store: that of the first run, without its runs' files."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(first.out / "mlflow.db", tmp_path / "mlruns")


@pytest.mark.slow
@pytest.mark.usefixtures("own_caches", "_store", "one_process")
def test_the_tutorial_works_as_it_is_written(
    command_line: Callable[..., Any],
    pip_install: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    said, todo = {}, steps()
    last = max(number for number, (step, _) in enumerate(todo) if step != "type")
    for number, (step, text) in enumerate(todo):
        if step != "type":
            file = Path(step.removeprefix("write "))
            assert file.parent.is_dir()
            file.write_text(text)
            continue
        program, *arguments = shlex.split(text)
        if program == "cd":
            shutil.move("mlruns", arguments[0])
            monkeypatch.chdir(arguments[0])
        elif program == "pip":
            place = Path(arguments[-1].partition("[")[0])
            pip_install(place.absolute())
        # While its files are half changed, or as they came, the package is checked elsewhere.
        elif program == "transfer" and (number > last or arguments[0] == "new"):
            typed = command_line(*arguments)
            assert typed.code == 0, typed.out + typed.err
            said[arguments[0]] = typed.out
    assert ", 0 broken," in said["check"]
    assert "sick_found" in said["fit"]
    assert re.search(r"spray      \d+ of 60 plants", said["spray"])
