"""`transfer promote`: a run gets a name that others use it by."""

from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.console import OUT, Terminal
from transfer.cli.options import Run, StoreFolder, TrackingUri
from transfer.cli.outcome import options_for


def promote(  # options, each by its name
    run: Run,
    *,
    alias: Annotated[
        str, typer.Option("--as", metavar="ALIAS", help="What it is from now on, as in champion.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="Of the registered model. Default: the task.", show_default=False),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Though nothing shows that it is fit; this is recorded.")
    ] = False,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Register a run's model, if its rows are clean and it beats the one that has the alias."""
    with OUT.status("reading the run"):
        from transfer.promotion.promote import promote as register  # noqa: PLC0415  # pandas
        from transfer.tracking.store import open_store  # noqa: PLC0415

        opened = open_store(store, tracking_uri)
    found = register(opened, run, alias, Terminal(), name=name, force=force)
    OUT.print(f"{'forced' if found.forced else 'why':<10} {found.why}")
    OUT.print(f"promoted   {found.run} is version {found.version} of {found.name}")
    there = options_for("--store", store, tracking_uri)
    OUT.print(f"next       transfer predict {alias}:{found.name} PICTURE{there}")
    OUT.print(f"           mlflow.pyfunc.load_model({found.address!r})")
