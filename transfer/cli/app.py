"""The table of commands; an error a user can fix is printed as one message, with exit code 2."""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from itertools import groupby
from typing import Any

import typer
from typer.core import TyperGroup

from transfer.cli import (
    audit,
    backbones,
    cache,
    check,
    compare,
    data,
    export,
    fit,
    gap,
    ladder,
    new,
    promote,
    report,
    runs,
    ship,
    sweep,
    tasks,
)
from transfer.cli.console import ERR, OUT
from transfer.errors import BrokenPromiseError, ProcessError, TransferError
from transfer.plugin.discovery import installed_commands, origin, refuse_claims
from transfer.processes import share_of_launch

_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Commands that say so when they are interrupted; Typer itself would be silent."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            ERR.print("stopped    nothing was kept of what was under way")
            raise typer.Exit(_INTERRUPTED) from error


app = typer.Typer(
    name="transfer",
    cls=_Commands,
    help="Teach a ResNet a new domain. Start with: transfer demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_LEARN, _LOOK, _USE, _EXTEND = "Learn", "Look", "Use", "A task of your own"
app.command("demo", rich_help_panel=_LEARN)(fit.demo)
app.command("audit", rich_help_panel=_LEARN)(audit.audit)
app.command("fit", rich_help_panel=_LEARN)(fit.fit)
app.command("resume", rich_help_panel=_LEARN)(fit.resume)
app.command("gap", rich_help_panel=_LEARN)(gap.gap)
app.command("ladder", rich_help_panel=_LEARN)(ladder.ladder)
app.command("sweep", rich_help_panel=_LEARN)(sweep.sweep)
app.command("recipe", rich_help_panel=_LEARN)(fit.recipe)
app.command("tasks", rich_help_panel=_LEARN)(tasks.tasks)
app.command("backbones", rich_help_panel=_LEARN)(backbones.backbones)
app.command("data", rich_help_panel=_LEARN)(data.data)
app.command("fetch", rich_help_panel=_LEARN)(data.fetch)
app.command("samples", rich_help_panel=_LEARN)(data.samples)
app.command("runs", rich_help_panel=_LOOK)(runs.runs)
app.command("compare", rich_help_panel=_LOOK)(compare.compare)
app.command("report", rich_help_panel=_LOOK)(report.report)
app.command("ui", rich_help_panel=_LOOK)(runs.ui)
app.add_typer(runs.store, name="store", rich_help_panel=_LOOK)
app.add_typer(cache.cache, name="cache", rich_help_panel=_LOOK)
app.command("predict", rich_help_panel=_USE)(ship.predict)
app.command("evaluate", rich_help_panel=_USE)(ship.evaluate)
app.command("promote", rich_help_panel=_USE)(promote.promote)
app.command("export", rich_help_panel=_USE)(export.export)
app.command("new", rich_help_panel=_EXTEND)(new.new)
app.command("check", rich_help_panel=_EXTEND)(check.check)

OWN_COMMANDS = frozenset(
    [str(command.name) for command in app.registered_commands]
    + [str(group.name) for group in app.registered_groups]
)
"""Names that no command of a plugin can have."""


def main() -> None:
    """Run the command line; the console script calls this."""
    for name, claims in groupby(installed_commands(), key=lambda entry: entry.name):
        if name not in OWN_COMMANDS:  # transfer tasks tells of one that is
            _add(list(claims))
    # Of several processes the first speaks; another says only why it is left alone.
    OUT.quiet = ERR.quiet = not share_of_launch().is_first
    try:
        app()
    except TransferError as error:
        ERR.quiet = ERR.quiet and not isinstance(error, ProcessError)
        ERR.print(f"error      {error}", style="bold red")
        sys.exit(2)


def _add(claims: Sequence[EntryPoint]) -> None:
    """List a command of another package; it is imported when it is called, with its arguments."""
    entry = claims[0]

    def command(context: typer.Context) -> None:
        refuse_claims("command", claims)
        try:
            run: Callable[[list[str]], None] = entry.load()
        except (ImportError, AttributeError) as error:
            raise BrokenPromiseError(
                f"command {entry.name!r} of {origin(entry)} cannot be imported: {error}"
            ) from error
        run(list(context.args))

    package = f", package {entry.dist.name}" if entry.dist else ""
    app.command(
        entry.name,
        help=f"Of {entry.module.removesuffix('.commands')}{package}.",
        rich_help_panel="Of installed tasks",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )(command)


if __name__ == "__main__":
    main()
