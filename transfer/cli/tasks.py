"""`transfer tasks`: what is installed, from metadata only."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint
from itertools import groupby

from transfer.cli.console import ERR, OUT, print_table
from transfer.errors import BrokenPromiseError
from transfer.plugin.discovery import installed_commands, installed_tasks, origin, refuse_claims


def tasks() -> None:
    """List the installed tasks."""
    found = installed_tasks()
    rows = [
        [entry.name, entry.dist.name, entry.dist.version] if entry.dist else [entry.name, "?", ""]
        for entry in found
    ]
    print_table(["task", "from", "version"], rows)
    commands = installed_commands()
    for line in [*_claims("task", found), *_claims("command", commands), *_taken(commands)]:
        ERR.print(f"note       {line}", style="yellow")
    OUT.print("\nnext       transfer recipe TASK   transfer fit TASK --data FOLDER")
    OUT.print("           transfer check TASK    transfer new NAME")


def _claims(what: str, entries: Sequence[EntryPoint]) -> list[str]:
    """Return a line for each name that several packages claim."""
    lines = []
    for _, claims in groupby(entries, key=lambda entry: entry.name):
        try:
            refuse_claims(what, list(claims))
        except BrokenPromiseError as error:
            lines.append(str(error))
    return lines


def _taken(commands: Sequence[EntryPoint]) -> list[str]:
    from transfer.cli.app import OWN_COMMANDS  # noqa: PLC0415  # which lists this command

    return [
        f"command {entry.name!r} of {origin(entry)} is not listed: transfer has one of that name"
        for entry in commands
        if entry.name in OWN_COMMANDS
    ]
