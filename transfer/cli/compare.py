"""`transfer compare`: which run is better, and is it really?"""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.files import check_suffix, write_json, write_text
from transfer.cli.options import StoreFolder, TrackingUri
from transfer.errors import TransferError

if TYPE_CHECKING:
    from transfer.comparing.compare import Compared
    from transfer.comparing.gaps import Gap
    from transfer.comparing.result import Comparison, Pair


def compare(  # noqa: PLR0913  # options, each by its name
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN [RUN...]",
            help="Runs by name or id; commas join the runs of one recipe on several seeds.",
        ),
    ],
    *,
    on: Annotated[
        str, typer.Option(metavar="val|test", help="val also selected; test is the last claim.")
    ] = "val",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers there.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page that also shows where they disagree."),
    ] = None,
    show_images: Annotated[
        bool, typer.Option("--show-images", help="Put pictures of a sensitive task on the page.")
    ] = False,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Say which run is better, by how much, and whether that is more than chance."""
    check_suffix(json_file, ".json")
    check_suffix(html, ".html")
    with OUT.status("reading the runs"):
        from transfer.comparing.compare import compare_runs, keep_comparison  # noqa: PLC0415  # pandas
        from transfer.tracking.store import open_store  # noqa: PLC0415

        opened = open_store(store, tracking_uri)
    wanted = [[name for name in run.split(",") if name] for run in runs]
    compared = compare_runs(wanted, on, opened, Terminal())
    _print(compared.found)
    write_json(compared.found.as_json(), json_file)
    if html is not None:
        _write_page(compared, html, show_images=show_images)
    kept = keep_comparison(compared, Terminal())
    OUT.print(f"kept       {kept.run_id} in {opened.address}; transfer runs leaves it out")


def _write_page(compared: "Compared", html: Path, *, show_images: bool) -> None:
    from transfer.comparing.disagreements import disagreements  # noqa: PLC0415
    from transfer.comparing.page import as_page  # noqa: PLC0415

    pairs = zip(combinations(compared.contenders, 2), compared.found.pairs, strict=True)
    shown = [
        disagreements(*both) if pair.only_first or pair.only_second else [] for both, pair in pairs
    ]
    pictures: dict[str, str] = {}
    keys = sorted({row.key for rows in shown for row in rows})
    if compared.task.sensitive and not show_images:
        OUT.print("no pictures  they stay out of pages of this task; --show-images lets them in")
    elif keys:
        from transfer.comparing.thumbnails import thumbnails  # noqa: PLC0415  # torch

        run = compared.contenders[0].runs[0]
        try:
            pictures = thumbnails(compared.store, run, compared.task, keys, Terminal())
        except TransferError as error:  # the page tells most of it without
            Terminal().warn(f"no pictures: {error}")
    write_text(as_page(compared.found, shown, pictures), html)


def _print(found: "Comparison") -> None:
    from transfer.comparing.page import cells_of_side  # noqa: PLC0415  # pandas

    several = len(found.pairs) > 1
    apart = "each alone" if found.groups == found.rows else f"in {found.groups:,} groups"
    OUT.print(
        f"compared   {len(found.sides)} contenders on {found.rows:,} {found.split} rows {apart}"
    )
    for note in found.notes:
        OUT.print(f"note       {note}")
    rows = [cells_of_side(side, found.headline) for side in found.sides]
    OUT.print()
    print_table(["contender", found.headline, "95 % interval", "runs"], rows)
    for pair in found.pairs:
        OUT.print()
        _print_pair(pair, pair.gaps[:1] if several else pair.gaps, corrected=found.family > 1)
    if found.notice:
        OUT.print(f"notice     {found.notice}")


def _print_pair(pair: "Pair", gaps: "tuple[Gap, ...]", *, corrected: bool) -> None:
    from transfer.comparing.page import cells_of  # noqa: PLC0415  # pandas
    from transfer.comparing.words import p_value  # noqa: PLC0415

    head = ["score", pair.first, pair.second, "difference", "95 % interval", "p"]
    head += ["p corrected"] if corrected else []
    print_table([*head, "how"], [cells_of(gap, corrected=corrected) for gap in gaps])
    for test in pair.tests:
        OUT.print(f"{test.name}: {test.says}, p {p_value(test.p)}")
    if pair.only_first or pair.only_second:
        only = f"{len(pair.only_first):,} and {len(pair.only_second):,} row(s)"
        OUT.print(f"alone      {only} that only {pair.first} and only {pair.second} says right")
    OUT.print(f"verdict    {pair.verdict}")
