"""`transfer export`: a run leaves as files that need nothing of this framework."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.options import Run, StoreFolder, TrackingUri

if TYPE_CHECKING:
    from transfer.exporting.export import Exported

_MOST_DROP = 0.01


def export(  # noqa: PLR0913  # options, each by its name
    run: Run,
    to: Annotated[
        list[str],
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="safetensors, torch-export, onnx or openvino; repeatable.",
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="A new folder. Default: RUN-exported."),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="onnx and openvino also in 8 bits, fitted on training rows."),
    ] = False,
    int8_drop: Annotated[
        float,
        typer.Option(min=0, help="The most that the headline score on val may fall by 8 bits."),
    ] = _MOST_DROP,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER_OR_TABLE",
            help="Where the rows of the run are now. Default: where it read them.",
        ),
    ] = None,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Write a run as files for other runtimes, each held against the run (docs/leaving.md)."""
    with OUT.status("loading the network"):
        from transfer.exporting.export import Order  # noqa: PLC0415  # torch
        from transfer.exporting.export import export as write  # noqa: PLC0415
        from transfer.tracking.store import open_store  # noqa: PLC0415

        order = Order(run, tuple(dict.fromkeys(to)), out, int8, int8_drop, data)
    found = write(order, open_store(store, tracking_uri), Terminal())
    OUT.print(f"held against the run on {found.tried_on}")
    head = [
        "format",
        "file",
        "MB",
        "off by at most",
        f"{found.headline} lost",
        "ms for 1",
        "ms for 32",
    ]
    shown = [
        number
        for number in range(len(head))
        if int8 or number != head.index(f"{found.headline} lost")
    ]
    rows = [_cells(each) for each in found.files]
    print_table([head[n] for n in shown], [[row[n] for n in shown] for row in rows])
    OUT.print(
        f"wrote      {found.folder}, with card.json; docs/leaving.md shows how to use each file"
    )


def _cells(file: "Exported") -> list[str]:
    return [
        file.format,
        file.file,
        f"{file.megabytes:,.1f}",
        f"{file.difference:.0e}",
        "" if file.drop is None else f"{file.drop:+.4f}",
        *(f"{each:,.1f}" for each in file.milliseconds.values()),
    ]
