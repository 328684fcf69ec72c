"""Find installed tasks by name."""

import difflib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from transfer.errors import BrokenPromiseError, TaskNotFoundError

if TYPE_CHECKING:
    from transfer.plugin.task import Task  # pulls pandas in; a list of names should not wait for it

GROUP = "transfer.tasks"


def installed_tasks() -> list[EntryPoint]:
    """Return the entry points of all installed tasks by name, without importing any."""
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def load_task(name: str) -> "Task":
    """Import the task called `name`.

    Raises:
        TaskNotFoundError: nothing installed has this name.
        BrokenPromiseError: two packages claim the name, it cannot be imported, or it is no Task.
    """
    from transfer.plugin.task import Task  # noqa: PLC0415  # see above

    found = [entry for entry in installed_tasks() if entry.name == name]
    if not found:
        raise TaskNotFoundError(_not_found(name))
    if len({entry.value for entry in found}) > 1:
        claims = " and ".join(map(origin, found))
        raise BrokenPromiseError(f"task {name!r} is claimed by {claims}; uninstall one of them")
    try:
        task = found[0].load()
    except (ImportError, AttributeError) as error:
        raise BrokenPromiseError(
            f"task {name!r} of {origin(found[0])} cannot be imported: {error}. "
            "A file of the same name in the current folder may stand before the package"
        ) from error
    if not isinstance(task, Task):
        raise BrokenPromiseError(
            f"{found[0].value} is a {type(task).__name__}; an entry point names a transfer.Task"
        )
    return task


def origin(entry: EntryPoint) -> str:
    """Return the distribution and the object an entry point names, for people."""
    return f"{entry.dist.name if entry.dist else '?'} ({entry.value})"


def _not_found(name: str) -> str:
    known = sorted({entry.name for entry in installed_tasks()})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"no task named {name!r}. {hint}Installed: {', '.join(known) or 'none'}"
