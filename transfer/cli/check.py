"""`transfer check`: whether a task keeps what a task promises."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal
from transfer.cli.options import Task

if TYPE_CHECKING:
    from transfer.promises.promise import Verdict

_INDENT = " " * 11


def check(
    task: Task,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="FOLDER_OR_TABLE",
            help="Look at these; unset draws samples of the task.",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of lines.")
    ] = False,
) -> None:
    """Look whether a task keeps its promises, and say how to mend what it does not keep."""
    from transfer.cli.app import OWN_COMMANDS  # noqa: PLC0415  # which lists this command
    from transfer.plugin.discovery import entry_of  # noqa: PLC0415  # beside the others
    from transfer.promises.examination import PROMISES, Examination  # noqa: PLC0415  # pandas

    entry_of(task)  # a name that is mistyped, or claimed twice, is no promise that is broken
    progress = None if as_json else Terminal()
    examination = Examination(task, data, taken=OWN_COMMANDS, progress=progress)
    verdicts = []
    for promise in PROMISES:
        verdicts.append(examination.verdict(promise))
        if not as_json:
            _print(verdicts[-1])
    broken = [verdict for verdict in verdicts if verdict.state == "broken"]
    if as_json:
        OUT.print(json.dumps(_as_table(task, verdicts), indent=2))
    else:
        counts = dict.fromkeys(("kept", "broken", "not applicable"), 0)
        for verdict in verdicts:
            counts[verdict.state] += 1
        said = ", ".join(f"{count} {state}" for state, count in counts.items())
        OUT.print(f"\n{task} of {len(verdicts)} promises: {said}")
    if broken:
        raise typer.Exit(1)


def _print(verdict: "Verdict") -> None:
    promise, state, said = verdict
    style = {"kept": "green", "broken": "bold red"}.get(state, "dim")
    mark = "-" if state == "not applicable" else state
    because = f": {said}" if state == "not applicable" else ""
    OUT.print(f"{mark:<10} {promise.name}{because}", style=style)
    if state == "broken":
        OUT.print(f"{_INDENT}promised   {promise.promised}")
        OUT.print(f"{_INDENT}seen       {said}")
        OUT.print(f"{_INDENT}looked     {promise.checked}")
        OUT.print(f"{_INDENT}mend       {promise.mend}")


def _as_table(task: str, verdicts: Sequence["Verdict"]) -> dict[str, object]:
    promises = [
        {
            "name": promise.name,
            "state": str(state),
            "promised": promise.promised,
            "checked": promise.checked,
            "said": said,
            "mend": promise.mend if state == "broken" else "",
        }
        for promise, state, said in verdicts
    ]
    kept = all(each["state"] != "broken" for each in promises)
    return {"task": task, "kept": kept, "promises": promises}
