"""`transfer samples`: a task's own small data set."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.console import OUT
from transfer.cli.options import Task
from transfer.errors import BrokenPromiseError


def samples(
    task: Task,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="New folder to write.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many samples.")] = 600,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws other samples.")] = 0,
) -> None:
    """Write the small data set a task can draw by itself, in its own file format."""
    write_samples(task, out, count, seed)
    OUT.print(f"wrote      {count} samples of {task} to {out}")
    OUT.print(f"next       transfer fit {task} --data {shlex.quote(str(out))}")


def write_samples(name: str, folder: Path, count: int, seed: int) -> None:
    """Write the samples of the task `name`.

    Raises:
        BrokenPromiseError: the task writes none.
        OutputError: the folder cannot be written, or holds something already.
    """
    from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas; help must be fast

    task = load_task(name)
    if task.write_samples is None:
        raise BrokenPromiseError(f"task {name!r} writes no samples; bring data of your own")
    task.write_samples(folder, count, seed)
