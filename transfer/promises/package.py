"""What a package promises before any picture is read: names, settings, imports, commands."""

import re
from collections.abc import Mapping
from typing import Any

from transfer.overlay import settle
from transfer.plugin.discovery import installed_commands, origin, refuse_claims
from transfer.promises.fresh import ask_pristine, heavy_on_import
from transfer.promises.promise import KEPT, Finding, Promise, broken, kept_unless, moot
from transfer.promises.subject import Subject

LONGEST_SUMMARY = 100
"""Characters of one line in a list of tasks."""
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"}


def loads(subject: Subject) -> Finding:
    """The task is looked for by its entry point and imported."""
    subject.task  # noqa: B018  # raises what is wrong
    return KEPT


def one_name(subject: Subject) -> Finding:
    """The entry point is held against `Task.name`, which is to be a lower-case identifier."""
    own = subject.task.name
    if own != subject.name:
        return broken(f"the entry point says {subject.name!r}, the task {own!r}")
    return kept_unless("" if re.fullmatch("[a-z][a-z0-9_]*", own) else f"{own!r}")


def says_what_for(subject: Subject) -> Finding:
    """The summary is one line, and not a long one."""
    lines = subject.task.summary.splitlines()
    if len(lines) != 1 or not lines[0].strip():
        return broken(f"the summary has {len(lines)} lines")
    long = len(lines[0]) > LONGEST_SUMMARY
    return kept_unless(f"the summary has {len(lines[0])} characters" if long else "")


def names_sources(subject: Subject) -> Finding:
    """There is at least one source, and none is empty."""
    sources = subject.task.sources
    return kept_unless("" if sources and all(map(str.strip, sources)) else f"sources {sources!r}")


def settings_have_meanings(subject: Subject) -> Finding:
    """Every setting of the task is asked for its line in `transfer recipe`."""
    meanings = subject.recipe.meanings()
    silent = [name for name in _own_settings(subject) if not meanings[name]]
    return kept_unless(f"no meaning: {', '.join(silent)}" if silent else "")


def settings_have_bounds(subject: Subject) -> Finding:
    """The schema of the settings is searched for numbers that may be anything."""
    schema = type(subject.task.settings).model_json_schema()
    endless = [name for name, about in schema.get("properties", {}).items() if _endless(about)]
    return kept_unless(f"any number goes: {', '.join(endless)}" if endless else "")


def settings_travel(subject: Subject) -> Finding:
    """The defaults are written as JSON, as a run keeps them, and read again."""
    settings = subject.task.settings
    again = type(settings).model_validate_json(settings.model_dump_json())
    if again != settings:
        return broken(f"{settings!r} came back as {again!r}")
    recipe = settle(subject.recipe).recipe
    if subject.task.check is not None:
        subject.task.check(recipe)
    return KEPT


def imports_little(subject: Subject) -> Finding:
    """Another process imports the task, and is asked what it has loaded."""
    heavy = ask_pristine(heavy_on_import, subject.entry)
    return kept_unless(f"importing it loads {', '.join(heavy)}" if heavy else "")


def commands_are_its_own(subject: Subject) -> Finding:
    """Names of its package's commands are held against ours and those of all other packages."""
    package = subject.entry.dist
    every = installed_commands()
    own = [each for each in every if package and each.dist and each.dist.name == package.name]
    if not own:
        return moot("its package has no commands; a new entry point takes pip install -e . again")
    for entry in own:
        if entry.name in subject.taken:
            return broken(f"transfer has a command {entry.name!r}, and so has {origin(entry)}")
        refuse_claims("command", [each for each in every if each.name == entry.name])
        if not callable(entry.load()):
            return broken(f"{entry.value} is no function")
    return KEPT


def _own_settings(subject: Subject) -> list[str]:
    return [name for name in subject.recipe.dotted() if name.startswith("task.")]


def _endless(about: Mapping[str, Any]) -> bool:
    """Say whether a schema allows any number at all."""
    kinds = about.get("anyOf", [about])
    numbers = [kind for kind in kinds if kind.get("type") in {"integer", "number"}]
    return any(not _BOUNDS & {*kind} for kind in numbers)


PROMISES = (
    Promise(
        "loads",
        "It can be found and imported, and is made for this version of the contract.",
        "Install its package again (pip install -e .) after a change of entry points, and import "
        "it in Python to see where it fails; `contract` of its Task says which version it is for.",
        loads,
    ),
    Promise(
        "one-name",
        "It has one name, spelt one way: entry point, Task.name, data folder, experiment.",
        "Give Task(name=...) and the entry point in pyproject.toml the same lower-case name, such "
        "as leaf_disease.",
        one_name,
        ("loads",),
    ),
    Promise(
        "says-what-for",
        "It says in one line what it is for.",
        f"Give Task(summary=...) one line of at most {LONGEST_SUMMARY} characters.",
        says_what_for,
        ("loads",),
    ),
    Promise(
        "names-sources",
        "It says where its data come from, and under which licence.",
        'Give Task(sources=(...,)) a paper or a licence each; drawn samples are "drawn by the task '
        'itself".',
        names_sources,
        ("loads",),
    ),
    Promise(
        "settings-have-meanings",
        "Every setting says what it means.",
        "Write a docstring below each field of the settings; transfer recipe prints it.",
        settings_have_meanings,
        ("loads",),
    ),
    Promise(
        "settings-have-bounds",
        "Every number among the settings has bounds, so that a slip of the hand is refused.",
        "Write Field(default=0.7, gt=0, le=1) instead of a bare number.",
        settings_have_bounds,
        ("loads",),
    ),
    Promise(
        "settings-travel",
        "Its settings and its recipe come back from a file as they were.",
        "Use fields that JSON can hold, let validators accept their own results, and let "
        "Task.check accept the defaults.",
        settings_travel,
        ("loads",),
    ),
    Promise(
        "imports-little",
        "It is imported without torch, albumentations or other packages that take seconds.",
        "Import them inside the functions that use them; `if TYPE_CHECKING:` is enough for types.",
        imports_little,
        ("loads",),
    ),
    Promise(
        "commands-are-its-own",
        "Its commands can be imported, and no other package has commands of their names.",
        'Choose another name under [project.entry-points."transfer.commands"], and name a '
        "function of one argument, a list of words.",
        commands_are_its_own,
        ("loads",),
    ),
)
