"""Options that several commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

from transfer.samples.layouts.presence import check_there


def _there(data: Path) -> Path:
    check_there(data)
    return data


Task = Annotated[str, typer.Argument(metavar="TASK", help="An installed task; see transfer tasks.")]
Run = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Name of a run, its id or the start of it, or last."),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data",
        metavar="FOLDER_OR_TABLE",
        help="Class folders, or a CSV/Parquet table.",
        callback=_there,  # imports take seconds
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where the run goes.")]
StoreFolder = Annotated[
    Path, typer.Option("--store", metavar="FOLDER", help="Where the run store is.")
]
TrackingUri = Annotated[
    str | None,
    typer.Option(
        "--tracking-uri",
        metavar="URI",
        help="MLflow server to use instead of --out. Default: MLFLOW_TRACKING_URI.",
        show_default=False,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option("--seed", help="Moves first weights, order and views.", show_default=False),
]
