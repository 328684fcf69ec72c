"""The table of commands, and how each kind of ending looks from outside."""

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from transfer.cli import app
from transfer.cli.console import ERR, OUT
from transfer.errors import RecipeError
from transfer.plugin.discovery import COMMANDS

Command = Callable[..., Any]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make `transfer tasks` raise."""

    def make(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr("transfer.cli.tasks.installed_tasks", fail)

    return make


def test_help_lists_every_command(command_line: Command) -> None:
    typed = command_line("--help")
    assert typed.code == 0
    commands = "demo fit recipe tasks data fetch samples runs ui store predict evaluate"
    assert [name for name in commands.split() if name not in typed.out] == []


@pytest.mark.parametrize("command", ["fit", "predict", "evaluate", "samples", "fetch", "recipe"])
def test_a_command_without_its_arguments_says_what_is_missing(
    command_line: Command, command: str
) -> None:
    typed = command_line(command)
    assert typed.code == 2
    assert "Missing" in typed.err


def test_a_mistake_is_one_message_and_exit_code_2(
    command_line: Command, raising: Callable[[BaseException], None]
) -> None:
    raising(RecipeError("size = 3: [too] small :cat:\n  take 32"))
    typed = command_line("tasks")
    assert typed == (2, "", "error      size = 3: [too] small :cat:\n  take 32\n")


def test_ctrl_c_is_said_and_exit_code_130(
    command_line: Command, raising: Callable[[BaseException], None]
) -> None:
    raising(KeyboardInterrupt())
    typed = command_line("tasks")
    assert typed == (130, "", "stopped    nothing was kept of what was under way\n")


def test_a_bug_keeps_its_traceback(
    command_line: Command, raising: Callable[[BaseException], None]
) -> None:
    raising(ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError, match="ours"):
        command_line("tasks")


@pytest.fixture
def _installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Install a package with the command `map`, which works, and others that cannot be had.

    They are listed until the end of the test.
    """
    module = "import sys\ndef main(arguments):\n    print(*arguments, sep='|')\n"
    (tmp_path / "foreign_commands.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    entries = [
        EntryPoint("broken", "no_such_module:main", COMMANDS),
        EntryPoint("fit", "no_such_module:main", COMMANDS),
        EntryPoint("map", "foreign_commands:main", COMMANDS),
        EntryPoint("twice", "here:main", COMMANDS),
        EntryPoint("twice", "there:main", COMMANDS),
    ]
    monkeypatch.setattr("transfer.cli.app.installed_commands", lambda: entries)
    monkeypatch.setattr("transfer.cli.tasks.installed_commands", lambda: entries)
    monkeypatch.setattr(app.app, "registered_commands", [*app.app.registered_commands])


@pytest.mark.usefixtures("_installed")
def test_a_command_of_another_package_is_listed_without_being_imported(
    command_line: Command,
) -> None:
    typed = command_line("--help")
    assert typed.code == 0
    assert "Of foreign_commands." in typed.out
    assert "Of installed tasks" in typed.out
    assert "foreign_commands" not in sys.modules


@pytest.mark.usefixtures("_installed")
def test_a_command_of_another_package_gets_its_own_arguments(
    command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "foreign_commands", raising=False)
    typed = command_line("map", "a file", "--size", "3", "--help")
    assert typed == (0, "a file|--size|3|--help\n", "")


@pytest.mark.usefixtures("_installed")
def test_a_command_that_cannot_be_had_says_why_and_the_others_go_on(
    command_line: Command,
) -> None:
    broken = command_line("broken")
    assert broken.code == 2
    assert "command 'broken' of ? (no_such_module:main) cannot be imported" in broken.err
    twice = command_line("twice")
    assert twice.code == 2
    assert "command 'twice' is claimed by ? (here:main) and ? (there:main)" in twice.err
    listed = command_line("tasks")
    assert listed.code == 0
    assert "command 'twice' is claimed by" in listed.err
    assert "command 'fit' of ? (no_such_module:main) is not listed" in listed.err
    assert "Missing" in command_line("fit").err  # ours


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be the second of two processes."""
    for console in (OUT, ERR):
        monkeypatch.setattr(console, "quiet", False)  # as it is again behind the test
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")


@pytest.mark.usefixtures("second")
def test_of_several_processes_only_the_first_speaks(
    command_line: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = command_line("recipe", "no such task")
    assert (silent.code, silent.out, silent.err) == (2, "", "")
    monkeypatch.setenv("RANK", "0")
    assert "error      " in command_line("recipe", "no such task").err


@pytest.mark.usefixtures("second")
def test_a_process_that_is_left_alone_says_why(
    command_line: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    typed = command_line("fit", "labelled_images", "--data", tmp_path, "--out", tmp_path / "runs")
    assert typed.code == 2
    assert typed.err.startswith("error      WORLD_SIZE is 2, but the processes do not find each")
    assert not (tmp_path / "runs").exists()
