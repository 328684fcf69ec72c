"""Write a package that is a whole task already, outside of this one, for somebody to change."""

import keyword
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from string import Template

from transfer.errors import OutputError, TaskNameError
from transfer.plugin.discovery import installed_tasks, origin
from transfer.samples.new_folder import new_folder

PACKAGE = "resnet-transfer"
_TEMPLATE = Path(__file__).with_name("template")
_SUFFIX = ".template"  # so that no tool takes them for code of ours
_NAME = "NAME"


def write_task(name: str, below: Path) -> Path:
    """Write the package of a new task, and return its folder `below/name`.

    Raises:
        TaskNameError: see `check_name`.
        OutputError: the folder is there already, or cannot be written.
    """
    check_name(name)
    folder = below / name
    if folder.exists():
        raise OutputError(f"{str(folder)!r} is there already; name another task or another --out")
    texts = {
        "name": name,
        "package": name.replace("_", "-"),
        "title": name.replace("_", " ").capitalize(),
        "version": version(PACKAGE),
    }
    with new_folder(folder) as unfinished:
        for file in sorted(_TEMPLATE.rglob(f"*{_SUFFIX}")):
            place = file.relative_to(_TEMPLATE).as_posix().removesuffix(_SUFFIX)
            path = unfinished / place.replace(_NAME, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            text = Template(file.read_text(encoding="utf-8")).substitute(texts)
            path.write_text(text, encoding="utf-8")
    return folder


def check_name(name: str) -> None:
    """Refuse a name that a new task, its package and its module cannot all have.

    Raises:
        TaskNameError: it is no lower-case identifier, or something has it already.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*[a-z0-9]", name) or "__" in name:
        raise TaskNameError(
            f"{name!r} is no name for a task: lower-case letters, digits and single underscores, "
            f"such as {_suggested(name)}"
        )
    if keyword.iskeyword(name) or name in keyword.softkwlist:
        raise TaskNameError(f"{name!r} is a word of Python; take another, such as my_{name}")
    if taken := _taken_by(name):
        raise TaskNameError(f"{name!r} is taken by {taken}; take another, such as my_{name}")


def _suggested(name: str) -> str:
    words = re.findall("[a-z0-9]+", re.sub("([a-z])([A-Z])", r"\1_\2", name).lower())
    near = "_".join(words).lstrip("0123456789_")
    return repr(near if len(near) > 1 else "leaf_disease")


def _taken_by(name: str) -> str:
    """Return what has the name already, for people; "" where nothing has."""
    for entry in installed_tasks():
        if entry.name == name:
            return f"the task of {origin(entry)}"
    if name in sys.stdlib_module_names:
        return "a module of Python itself, which yours would stand before"
    if (spec := find_spec(name)) is not None:
        return f"a module that can be imported, {spec.origin or 'without a file'}"
    try:
        return f"the installed package {Distribution.from_name(name).name}"
    except PackageNotFoundError:
        return ""
