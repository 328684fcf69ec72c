"""`transfer runs`, `transfer ui` and `transfer store`: what was kept, and where."""

import math
import os
import shlex
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.options import StoreFolder, TrackingUri
from transfer.cli.outcome import options_for
from transfer.errors import RecipeError

if TYPE_CHECKING:
    import pandas as pd

store = typer.Typer(help="Look after the run store.", no_args_is_help=True)
_SHOWN_LOST = 5
_COLUMNS = ("name", "task", "backbone", "strategy", "val", "test", "images_per_second", "started")


def runs(
    *,
    sort: Annotated[str, typer.Option(help=f"Column to rank by: {', '.join(_COLUMNS)}.")] = "val",
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", metavar="COLUMN=TEXT", help="Only runs whose column has it; repeatable."
        ),
    ] = None,
    nested: Annotated[
        bool, typer.Option("--nested", help="Also the runs that are part of another.")
    ] = False,
    store_folder: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """List the runs, the best on val first; test is shown beside its interval."""
    from transfer.tracking.runs import list_runs  # noqa: PLC0415  # pandas; help must be fast
    from transfer.tracking.store import open_store  # noqa: PLC0415

    _check_column(sort)
    with OUT.status("reading the store"):
        table = list_runs(open_store(store_folder, tracking_uri))
    table, left_out = (table, 0) if nested else _whole(table)
    for condition in where or []:
        column, equals, text = condition.partition("=")
        _check_column(column)
        if not equals:
            raise RecipeError(f"--filter {condition!r}: write --filter COLUMN=TEXT")
        table = table[table[column].astype(str).str.contains(text, regex=False)]
    if table.empty:
        OUT.print("no runs     next: transfer demo, or transfer fit TASK --data FOLDER")
        return
    _print_runs(table.sort_values(sort, ascending=sort in {"name", "task", "backbone", "strategy"}))
    there = options_for("--store", store_folder, tracking_uri)
    OUT.print(f"\nnext       transfer ui{there}   transfer predict NAME PICTURE{there}")
    if left_out:
        OUT.print(f"left out   {left_out} run(s) that are part of another; --nested shows them")


def ui(
    store_folder: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On this machine.")] = 5000,
) -> None:
    """Open the MLflow pages on the run store; Ctrl-C closes them."""
    from transfer.tracking.store import open_store  # noqa: PLC0415  # help must be fast
    from transfer.tracking.ui import user_interface  # noqa: PLC0415

    with OUT.status("opening the store"):
        pages = user_interface(open_store(store_folder, tracking_uri), port=port)
    if not pages.command:
        OUT.print(f"the tracking server shows its pages at {pages.address}")
        return
    OUT.print(f"pages      {pages.address} in about ten seconds; Ctrl-C closes them")
    for experiment, address in pages.views.items():
        OUT.print(f"           {experiment}: {address}", soft_wrap=True)
    os.execve(pages.command[0], pages.command, {**os.environ, **pages.environment})  # noqa: S606


@store.command("sync")
def sync(store_folder: StoreFolder = Path("mlruns"), tracking_uri: TrackingUri = None) -> None:
    """Send the runs that a tracking server has not taken yet."""
    from transfer.tracking.store import open_store  # noqa: PLC0415  # help must be fast
    from transfer.tracking.sync import sync as send  # noqa: PLC0415

    opened = open_store(store_folder, tracking_uri)
    sent = send(opened, Terminal())
    OUT.print(f"sent       {sent} run(s) to {opened.address}")


@store.command("check")
def check(store_folder: StoreFolder = Path("mlruns")) -> None:
    """Say whether the store finds its files; nothing is written."""
    from transfer.tracking.relocation import check as look  # noqa: PLC0415  # help must be fast
    from transfer.tracking.store import open_store  # noqa: PLC0415

    opened = open_store(store_folder)
    found = look(opened)
    OUT.print(
        f"found      {found.kept} folder(s) of runs and models where the store thinks they are"
    )
    for address, count in found.moved.items():
        OUT.print(f"moved      {count} folder(s) from {address} to {opened.artifacts}")
    for address in found.lost[:_SHOWN_LOST]:
        OUT.print(f"lost       {address}")
    if len(found.lost) > _SHOWN_LOST:
        OUT.print(f"           and {len(found.lost) - _SHOWN_LOST} more")
    for folder in found.file_stores:
        OUT.print(f"old store  {folder}, of a file store that MLflow no longer writes")
    if found.moved:
        OUT.print(f"next       transfer store relocate --store {shlex.quote(str(store_folder))}")
    if found.file_stores:
        source, target = opened.out, opened.out.with_name(f"{opened.out.name}-migrated.db")
        words = ["--source", str(source), "--target", f"sqlite:///{target}"]
        OUT.print(f"next       mlflow migrate-filestore {shlex.join(words)}")
    if found.lost:
        raise typer.Exit(1)


@store.command("relocate")
def relocate(store_folder: StoreFolder = Path("mlruns")) -> None:
    """Have a store whose folder was moved, or copied, find its files where they are now."""
    from transfer.tracking.relocation import relocate as move  # noqa: PLC0415  # help must be fast
    from transfer.tracking.store import open_store  # noqa: PLC0415

    opened = open_store(store_folder)
    moved = move(opened)
    if not moved:
        OUT.print("relocated  nothing: what is here is where the store thinks it is")
        return
    OUT.print(f"relocated  {moved} folder(s) of runs and models to {opened.artifacts}")
    OUT.print(f"           as it was: {opened.database}.before-relocation")


def _check_column(name: str) -> None:
    if name not in _COLUMNS:
        raise RecipeError(f"no column {name!r} in the list of runs; it has {', '.join(_COLUMNS)}")


def _whole(table: "pd.DataFrame") -> tuple["pd.DataFrame", int]:
    """Return the runs that are part of no other, and how many are left out."""
    whole = table[table["parent"] == ""]
    return whole, len(table) - len(whole)


def _print_runs(found: "pd.DataFrame") -> None:
    from transfer.samples.leaks import CLEAN  # noqa: PLC0415  # pandas; help must be fast

    doubtful = not {"", CLEAN}.issuperset(found["audit"])  # a column that says clean says nothing
    rows = [
        [
            run["name"],
            _score(run, "val"),
            _score(run, "test"),
            *([run["audit"].replace(CLEAN, "")] if doubtful else []),
            "" if math.isnan(run["images_per_second"]) else f"{run['images_per_second']:,.0f}",
            run["status"].lower(),
            run["task"],
            run["backbone"],
            run["strategy"],
            f"{run['started'].tz_convert(None):%Y-%m-%d %H:%M}",
            run["run_id"][:8],
        ]
        for run in found.to_dict("records")
    ]
    print_table(
        [
            *("name", "val", "test"),
            *(["audit"] if doubtful else []),
            *("images/s", "status", "task", "backbone", "strategy", "when", "id"),
        ],
        rows,
    )


def _score(run: Mapping[Hashable, Any], split: str) -> str:
    value, low, high = (run[f"{split}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if math.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"
