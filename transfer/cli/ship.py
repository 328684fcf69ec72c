"""`transfer predict` and `transfer evaluate`: an earlier run meets new files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.files import whole_file
from transfer.cli.options import Data, Run, StoreFolder, TrackingUri
from transfer.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 20
_FORMATS = (".csv", ".parquet")


def predict(
    run: Run,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE_OR_FOLDER...", help="Pictures, or folders of them."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Write all of it to a .csv or .parquet file."),
    ] = None,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Say what pictures show: class, its probability, and with --out every probability."""
    _check_format(out)
    with OUT.status("loading the network"):
        from transfer.samples.layouts.folder import list_pictures  # noqa: PLC0415  # pandas
        from transfer.shipping.predictor import load  # noqa: PLC0415  # torch

        predictor = load(run, store=store, tracking_uri=tracking_uri)
    progress = Terminal()
    said = predictor.predict(list_pictures(files, progress.warn), progress)
    if out is not None:
        _write(said, out)
        broken = int((said["error"] != "").sum())
        OUT.print(f"wrote      {len(said):,} rows ({broken} unreadable) to {out}")
        return
    _print(said.head(_SHOWN))
    if len(said) > _SHOWN:
        OUT.print(f"           and {len(said) - _SHOWN:,} more; take --out TABLE.csv for all of it")


def _print(said: "pd.DataFrame") -> None:
    """Print what was said of each file; why not, where there is one that could not be read."""
    columns = ["prediction", "probability", "image", "error"]
    rows = [
        [
            "" if row["error"] else row["prediction"],
            "" if row["error"] else f"{row['probability']:.3f}",
            row["image"],
            row["error"],
        ]
        for row in said.to_dict("records")
    ]
    shown = len(columns) if any(said["error"]) else len(columns) - 1
    print_table(columns[:shown], [row[:shown] for row in rows])


def evaluate(
    run: Run,
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="Write the scores to a .csv or .parquet file."),
    ] = None,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Judge a run on other labelled data."""
    _check_format(out)
    with OUT.status("loading the network"):
        from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas
        from transfer.shipping.evaluation import evaluate as judge  # noqa: PLC0415  # torch
        from transfer.shipping.predictor import load  # noqa: PLC0415  # torch

        predictor = load(run, store=store, tracking_uri=tracking_uri)
        task = load_task(predictor.task)
    found = judge(predictor, task, data, Terminal())
    rows = [
        [
            name,
            f"{score.value:.4f}",
            "" if score.low is None else f"[{score.low:.4f}, {score.high:.4f}]",
            score.note,
        ]
        for name, score in found.scores.items()
    ]
    OUT.print(f"judged     {found.rows:,} rows of {data}")
    print_table(["score", "value", "95 % interval", "note"], rows)
    if out is not None:
        _write(found.table(), out)
        OUT.print(f"wrote      {out}")


def _check_format(out: Path | None) -> None:
    if out is not None and out.suffix not in _FORMATS:
        raise OutputError(f"--out {str(out)!r}: a table is written as {' or '.join(_FORMATS)}")


def _write(table: "pd.DataFrame", out: Path) -> None:
    """Write `table`, whole or not at all.

    Raises:
        OutputError: the place cannot be written to.
    """
    with whole_file(out) as part:
        if out.suffix == ".parquet":
            table.to_parquet(part, index=False)
        else:
            table.to_csv(part, index=False)
