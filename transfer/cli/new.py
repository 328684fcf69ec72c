"""`transfer new`: a package to start a task of one's own from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.console import OUT


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the task, such as leaf_disease.")],
    below: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Folder in which to make folder NAME.")
    ] = Path(),
) -> None:
    """Write the package of a new task: it works as it is, and is yours to change."""
    from transfer.scaffold.new_task import write_task  # noqa: PLC0415  # help must be fast

    folder = write_task(name, below)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        OUT.print(f"wrote      {path}")
    place = shlex.quote(str(folder))
    OUT.print(f"next       pip install -e {place}")
    OUT.print(f"           transfer check {name}   transfer demo {name}")
    OUT.print(
        f"           {place}/README.md says what is where; docs/add_a_task.md goes through it"
    )
