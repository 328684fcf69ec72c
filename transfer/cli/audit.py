"""`transfer audit`: what is wrong with a data set, before anything is trained on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.files import check_suffix, whole_file, write_json, write_text
from transfer.cli.fit import Backbone, RecipeFile, Settings, Size, Weights, assignments
from transfer.cli.options import Data, StoreFolder, Task, TrackingUri

if TYPE_CHECKING:
    from transfer.auditing.audit import Audited

_LEAKS = 1  # exit code
_STATES = {"ok": "", "look": "look", "leak": "LEAK"}


def audit(  # noqa: PLR0913  # options, each by its name
    task: Task,
    data: Data,
    *,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all findings there.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page that shows them.")
    ] = None,
    groups_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Write near-duplicate groups, for split.groups_file."
        ),
    ] = None,
    show_images: Annotated[
        bool, typer.Option("--show-images", help="Put pictures of a sensitive task on the page.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Leave out label errors, which take a network.")
    ] = False,
    backbone: Backbone = None,
    weights: Weights = None,
    size: Size = None,
    recipe: RecipeFile = None,
    settings: Settings = None,
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Look for leaks, copies, shortcuts and label errors. Exit code 1: given splits leak; 0: no."""
    for file, suffix in ((json_file, ".json"), (html, ".html"), (groups_out, ".csv")):
        check_suffix(file, suffix)
    with OUT.status("loading torch"):
        from transfer.auditing.audit import audit as look  # noqa: PLC0415  # seconds of imports
        from transfer.overlay import Layer, read_layer  # noqa: PLC0415  # likewise
        from transfer.plugin.discovery import load_task  # noqa: PLC0415  # likewise
        from transfer.start import finder  # noqa: PLC0415  # likewise
        from transfer.tracking.store import open_store  # noqa: PLC0415  # likewise

    everyday = {"backbone": backbone, "weights": weights, "size": size}
    given = {name: value for name, value in everyday.items() if value is not None}
    layers = [read_layer(recipe)] if recipe else []
    audited = look(
        load_task(task),
        data,
        [*layers, Layer("--set", assignments(settings)), Layer("option", given)],
        find_model=finder(open_store(store, tracking_uri)),
        progress=Terminal(),
        with_network=not fast,
    )
    _print(audited)
    write_json(audited.found.as_json(), json_file)
    if html is not None:
        _write_page(audited, html, with_pictures=show_images or not load_task(task).sensitive)
    if groups_out is not None:
        _write_groups(audited, groups_out)
    if not audited.found.is_clean:
        raise typer.Exit(_LEAKS)


def _print(audited: "Audited") -> None:
    from transfer.auditing.words import finding_lines, understood_lines  # noqa: PLC0415  # pandas

    found = audited.found
    for name, says in understood_lines(found.understood):
        if name != "note":  # was said when the rows were read
            OUT.print(f"{name:<10} {says}")
    OUT.print()
    lines = [[what, _STATES[state], says] for what, state, says in finding_lines(found)]
    print_table(["looked for", "", "found"], lines)
    OUT.print()
    for leak in found.leaks[:5]:
        OUT.print(f"leak       {leak}")
    for pair in found.divided[:5]:
        both = " and ".join(f"{row.split} {row.image!r}" for row in (pair.first, pair.second))
        OUT.print(f"near leak  {both} agree {pair.agreement:.2f}")
    for odd in found.contradictions[:5]:
        OUT.print(f"two labels {odd}")
    OUT.print(f"verdict    {'no leak' if found.is_clean else 'a leak'} between given splits")


def _write_page(audited: "Audited", html: Path, *, with_pictures: bool) -> None:
    from transfer.auditing.page import as_page, shown_rows  # noqa: PLC0415
    from transfer.auditing.thumbnails import thumbnails  # noqa: PLC0415

    if not with_pictures:
        OUT.print("no pictures  they stay out of pages of this task; --show-images lets them in")
    pictures = thumbnails(audited.eyes, shown_rows(audited.found)) if with_pictures else {}
    write_text(as_page(audited.found, pictures), html)


def _write_groups(audited: "Audited", out: Path) -> None:
    from transfer.samples.groups_file import as_groups_file  # noqa: PLC0415

    groups = audited.found.groups
    with whole_file(out) as part:
        part.write_text(as_groups_file(groups, audited.manifest), encoding="utf-8")
    rows = sum(map(len, groups))
    OUT.print(f"wrote      {out}: {rows:,} rows in {len(groups):,} groups; look at them, then:")
    OUT.print(f"next       transfer fit ... --set split.groups_file={out}")
