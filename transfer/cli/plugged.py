"""How a command of an installed task is called, with the options and errors of our own."""

from collections.abc import Callable, Sequence

import typer


def call(name: str, command: Callable[..., None], arguments: Sequence[str]) -> None:
    """Call `command` with what was typed behind `name`, as if it stood in our table of commands.

    Args:
        name: as a person types it, such as "transfer map".
        command: its parameters say what it takes, as Typer reads them.
        arguments: words.
    """
    table = typer.Typer(add_completion=False, rich_markup_mode="rich")
    table.command()(command)
    parsed = typer.main.get_command(table)
    # Not called as a program of its own, which would end the process and swallow an interrupt.
    with parsed.make_context(name, [*arguments]) as context:
        parsed.invoke(context)
