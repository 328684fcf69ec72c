"""docs/add_a_task.md, followed as it is written: its files are made and its commands are typed."""

import re
import shlex
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "add_a_task.md"
_STEP = re.compile(
    r'^``` \{ \.\w+ title="(?P<file>[^"]+)" \}\n(?P<text>[\s\S]*?)^```$|^    (?P<command>\w.*)$',
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
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Path], None]:
    """Do what `pip install -e` does: the source on the path, and the entry points beside it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(package: Path) -> None:
        about = tomllib.loads((package / "pyproject.toml").read_text())["project"]
        monkeypatch.syspath_prepend(package / "src")
        info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
        )
        lines = []
        for group, entries in about["entry-points"].items():
            lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines))

    return install


@pytest.fixture
def _nothing_left(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forget the package, and the command that it lists, behind the test."""
    from transfer.cli import app  # noqa: PLC0415  # beside what is patched

    monkeypatch.setattr(app.app, "registered_commands", [*app.app.registered_commands])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "leaf_disease"]:
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.usefixtures("own_caches", "_nothing_left")
def test_the_tutorial_works_as_it_is_written(
    command_line: Callable[..., Any],
    install: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = {}
    whole = [number for number, (step, _) in enumerate(steps()) if step.startswith("write ")]
    for number, (step, text) in enumerate(steps()):
        if step != "type":
            file = Path(step.removeprefix("write "))
            assert file.parent.is_dir()
            file.write_text(text)
            continue
        program, *arguments = shlex.split(text)
        if program == "cd":
            monkeypatch.chdir(arguments[0])
        elif program == "pip":
            place = Path(arguments[-1].partition("[")[0])
            install(place.absolute())
        # While its files are half changed, or as they came, the package is checked elsewhere.
        elif program == "transfer" and (number > whole[-1] or arguments[0] == "new"):
            typed = command_line(*arguments)
            assert typed.code == 0, typed.out + typed.err
            said[arguments[0]] = typed.out
    assert ", 0 broken," in said["check"]
    assert "sick_found" in said["fit"]
    assert re.search(r"spray      \d+ of 60 plants", said["spray"])
