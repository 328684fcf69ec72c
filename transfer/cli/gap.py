"""`transfer gap`: what a split that ignores groups is worth."""

from pathlib import Path

from transfer.cli.console import OUT, Terminal
from transfer.cli.fit import (
    Backbone,
    Name,
    RecipeFile,
    Settings,
    Size,
    Weights,
    request_of,
)
from transfer.cli.options import Data, Out, Task, TrackingUri
from transfer.cli.outcome import tell_repeated


def gap(  # noqa: PLR0913  # the everyday options
    task: Task,
    data: Data,
    *,
    backbone: Backbone = None,
    weights: Weights = None,
    size: Size = None,
    name: Name = None,
    recipe: RecipeFile = None,
    settings: Settings = None,
    out: Out = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Probe the same rows twice, groups whole and groups ignored: is there a leak to be feared?"""
    request = request_of(
        task,
        data,
        settings,
        backbone=backbone,
        weights=weights,
        size=size,
        recipe=recipe,
        name=name,
        out=out,
        tracking_uri=tracking_uri,
    )
    from transfer.start import gap as measure  # noqa: PLC0415  # loaded by request_of

    found = measure(request, Terminal())
    OUT.print(f"gap        {found.words()}")
    OUT.print(
        f"           by probes on {found.rows:,} rows in {found.groups:,} groups, judged on val"
    )
    if found.repeated is not None:
        tell_repeated(found.repeated, out, tracking_uri)
