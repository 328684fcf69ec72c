"""`transfer report`: a run as one page."""

from pathlib import Path
from typing import Annotated

import typer

from transfer.cli.console import OUT, Terminal
from transfer.cli.files import check_suffix, whole_file
from transfer.cli.options import Run, StoreFolder, TrackingUri


def report(
    run: Run,
    *,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to. Default: RUN.html.")
    ] = None,
    show_images: Annotated[
        bool, typer.Option("--show-images", help="Put pictures of a sensitive task on the page.")
    ] = False,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Write a run as one page: data, scores, curves, mistakes, cost, and how to make it again."""
    check_suffix(html, ".html")
    with OUT.status("reading the run"):
        from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas
        from transfer.reporting.gathered import gather  # noqa: PLC0415  # torch
        from transfer.reporting.page import as_page  # noqa: PLC0415
        from transfer.tracking.runs import find_run  # noqa: PLC0415
        from transfer.tracking.store import open_store  # noqa: PLC0415

        opened = open_store(store, tracking_uri)
        found = find_run(opened, run)
    task = load_task(found.experiment)
    allowed = show_images or not task.sensitive
    if not allowed:
        OUT.print("no pictures  they stay out of pages of this task; --show-images lets them in")
    page = as_page(gather(opened, found, task, Terminal(), show_images=allowed))
    out = html or Path(f"{found.name.replace('/', '-')}.html")
    with whole_file(out) as part:
        part.write_text(page, encoding="utf-8")
    OUT.print(f"wrote      {out}, {len(page.encode()) / 1e6:.1f} MB")
