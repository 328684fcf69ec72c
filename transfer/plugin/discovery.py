"""Find installed tasks and their commands by name."""

import difflib
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from transfer.errors import BrokenPromiseError, TaskNotFoundError

if TYPE_CHECKING:
    from transfer.plugin.task import Task  # pulls pandas in; a list of names should not wait for it

GROUP = "transfer.tasks"
COMMANDS = "transfer.commands"

_SHADOWED = "A file of the same name in the current folder may stand before the package"


def installed_tasks() -> list[EntryPoint]:
    """Return the entry points of all installed tasks by name, without importing any."""
    return _sorted(entry_points(group=GROUP))


def installed_commands() -> list[EntryPoint]:
    """Return the entry points of all commands of installed tasks, without importing any."""
    return _sorted(entry_points(group=COMMANDS))


def load_task(name: str) -> "Task":
    """Import the task called `name`.

    Raises:
        TaskNotFoundError: nothing installed has this name.
        BrokenPromiseError: two packages claim the name, it cannot be imported, it is no Task, or it
            is made for another version of the contract.
    """
    from transfer.plugin.task import CONTRACT, Task  # noqa: PLC0415  # see above

    entry = entry_of(name)
    try:
        task = entry.load()
    except Exception as error:  # a stranger's module may raise anything
        raise BrokenPromiseError(
            f"task {name!r} of {origin(entry)} cannot be imported: {_said(error)}. "
            f"{_hint(error, CONTRACT)}"
        ) from error
    if not isinstance(task, Task):
        raise BrokenPromiseError(
            f"{entry.value} is a {type(task).__name__}; an entry point names a transfer.Task"
        )
    if task.contract != CONTRACT:
        older = "older" if task.contract < CONTRACT else "newer"
        raise BrokenPromiseError(
            f"task {name!r} of {origin(entry)} is made for version {task.contract} of the task "
            f"contract, {older} than the {CONTRACT} that is here; update "
            f"{_package(entry) if task.contract < CONTRACT else 'resnet-transfer'}, or ask its "
            "authors for a release that fits"
        )
    return task


def entry_of(name: str) -> EntryPoint:
    """Return the one entry point that claims the task `name`; nothing is imported.

    Raises:
        TaskNotFoundError: nothing installed has this name.
        BrokenPromiseError: two packages claim it.
    """
    found = [entry for entry in installed_tasks() if entry.name == name]
    if not found:
        raise TaskNotFoundError(_not_found(name))
    refuse_claims("task", found)
    return found[0]


def refuse_claims(what: str, entries: Sequence[EntryPoint]) -> None:
    """Refuse entry points of one name that are not all the same one of the same package.

    Raises:
        BrokenPromiseError: it names all packages.
    """
    # A package that is installed twice, as for development, is found twice and is no second one.
    claims = {(_package(entry), entry.value): entry for entry in entries}
    if len(claims) > 1:
        named = " and ".join(map(origin, claims.values()))
        raise BrokenPromiseError(
            f"{what} {entries[0].name!r} is claimed by {named}; uninstall one of them"
        )


def origin(entry: EntryPoint) -> str:
    """Return the distribution and the object an entry point names, for people."""
    return f"{_package(entry)} ({entry.value})"


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "?"


def _sorted(entries: Sequence[EntryPoint]) -> list[EntryPoint]:
    return sorted(entries, key=lambda entry: (entry.name, entry.value))


def _said(error: Exception) -> str:
    if isinstance(error, ImportError | AttributeError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _hint(error: Exception, contract: int) -> str:
    if isinstance(error, ImportError | AttributeError):
        return _SHADOWED
    if isinstance(error, TypeError):
        return f"It may be made for another version of the task contract than {contract}"
    return "Its authors will want to know"


def _not_found(name: str) -> str:
    known = sorted({entry.name for entry in installed_tasks()})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no task named {name!r}. {hint}Installed: {', '.join(known) or 'none'}"
