"""`transfer ladder`: what depth is worth its cost, on one's own pictures and machine."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.files import check_suffix, write_json, write_text
from transfer.cli.fit import (
    Epochs,
    Name,
    RecipeFile,
    Settings,
    Size,
    Split,
    Strategy,
    request_of,
)
from transfer.cli.options import Data, Out, Seed, Task, TrackingUri
from transfer.cli.outcome import options_for, scores_line

if TYPE_CHECKING:
    from transfer.laddering.result import Ladder

_INTERRUPTED = 130
_NAMES = "NAME,NAME,..."


def ladder(  # noqa: PLR0913  # the everyday options
    task: Task,
    data: Data,
    *,
    backbones: Annotated[
        str | None,
        typer.Option(
            metavar=_NAMES,
            help="What to compare; unset takes ResNets of every depth, wide ones and DenseNets.",
            show_default=False,
        ),
    ] = None,
    scratch: Annotated[
        str | None,
        typer.Option(metavar=_NAMES, help="Also trained from nothing: plain20,resnet20."),
    ] = None,
    tag: Annotated[
        str | None, typer.Option(help="Of the weights: one recipe for all. Default: tv_in1k.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="auto|hub", help="Those on this machine, or timm downloads them."),
    ] = None,
    max_latency_ms: Annotated[
        float | None, typer.Option(min=0, help="Most for one picture, ms.", show_default=False)
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(metavar="N", help="Most parameters, as in 25M.")
    ] = None,
    finetune: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Fine-tune the N best probes.", show_default=False),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="For all of it, as in 20m: fine-tune what fits."),
    ] = None,
    strategy: Strategy = None,
    epochs: Epochs = None,
    size: Size = None,
    seed: Seed = None,
    name: Name = None,
    recipe: RecipeFile = None,
    settings: Settings = None,
    split: Split = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers there.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with table and figure.")
    ] = None,
    out: Out = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Probe backbones on the same rows, measure what they cost, and say which one is worth it."""
    check_suffix(json_file, ".json")
    check_suffix(html, ".html")
    request = request_of(
        task,
        data,
        settings,
        weights=weights,
        strategy=strategy,
        epochs=epochs,
        size=size,
        seed=seed,
        recipe=recipe,
        name=name,
        split=split,
        out=out,
        tracking_uri=tracking_uri,
    )
    # loaded by request_of
    from transfer.laddering.rungs import LADDER  # noqa: PLC0415
    from transfer.laddering.start import ladder as climb  # noqa: PLC0415
    from transfer.laddering.start import wishes_of  # noqa: PLC0415
    from transfer.network.pretrained import PREFERRED_TAG  # noqa: PLC0415

    found = climb(
        request,
        backbones=names_in(backbones) if backbones is not None else LADDER,
        from_scratch=names_in(scratch),
        tag=tag or PREFERRED_TAG,
        wishes=wishes_of(max_latency_ms, max_params, finetune, budget),
        progress=Terminal(),
    )
    _tell(found, out, tracking_uri)
    _write(found, json_file, html)
    if found.ended:
        raise typer.Exit(_INTERRUPTED)


def names_in(text: str | None) -> list[str]:
    """Return the names between the commas of an option."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _tell(found: "Ladder", out: Path, tracking_uri: str | None) -> None:
    from transfer.budget import in_words  # noqa: PLC0415  # loaded with the ladder
    from transfer.laddering.table import HEAD, cells  # noqa: PLC0415

    OUT.print()
    print_table(HEAD, [cells(one, found.chosen) for one in found.climbed])
    OUT.print(f"\nmeasured   {found.machine}; pictures of {found.size} px")
    of_rungs = (f"{one.rung.name}: {note}" for one in found.climbed for note in one.notes)
    for note in (*of_rungs, *found.notes):
        OUT.print(f"note       {note}")
    OUT.print(f"recommend  {found.recommendation}")
    if found.lead:
        OUT.print(f"lead       {found.lead}")
    if found.test:
        OUT.print(f"test       {scores_line(found.test, found.shown)}")
        OUT.print(f"           of {found.chosen} alone, looked at once, after it was chosen on val")
    if found.notice:
        OUT.print(f"notice     {found.notice}")
    OUT.print(f"run        {found.name} ({found.run_id}), {in_words(found.seconds)}")
    _next(found, options_for("--store", out, tracking_uri))


def _next(found: "Ladder", store: str) -> None:
    if found.ended:
        OUT.print(f"stopped    {found.ended}; the test rows were not looked at")
        return
    best = next((one.best for one in found.climbed if one.rung.name == found.chosen), None)
    if best is not None:
        OUT.print(f"next       transfer predict {shlex.quote(best.run)} PICTURE{store}")
    OUT.print(f"           transfer ui{store}   transfer runs --nested{store}")


def _write(found: "Ladder", json_file: Path | None, html: Path | None) -> None:
    write_json(found.as_json(), json_file)
    if html is not None:
        from transfer.laddering.page import as_page  # noqa: PLC0415  # loaded with the ladder

        write_text(as_page(found), html)
