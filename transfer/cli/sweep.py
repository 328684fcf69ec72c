"""`transfer sweep`: which settings suit these pictures, by trials that machines may share."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.files import check_suffix, write_json, write_text
from transfer.cli.fit import (
    Backbone,
    Epochs,
    RecipeFile,
    Settings,
    Size,
    Split,
    Strategy,
    Weights,
    request_of,
)
from transfer.cli.ladder import names_in
from transfer.cli.options import Data, Out, Seed, Task, TrackingUri
from transfer.cli.outcome import options_for, scores_line

if TYPE_CHECKING:
    from transfer.sweeping.result import Conclusion, Sweep

_INTERRUPTED, _NOTHING, _SHOWN = 130, 2, 10


def sweep(  # noqa: PLR0913  # the everyday options
    task: Task,
    data: Data,
    *,
    space: Annotated[
        Path, typer.Option(metavar="FILE.toml", help="Settings to vary; see docs/sweep.md.")
    ],
    trials: Annotated[int, typer.Option(min=1, help="How many, of all workers together.")] = 20,
    seeds: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Fit the best three on N seeds before believing."),
    ] = 1,
    objectives: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,NAME,...",
            help="Scores of the task, parameters, macs; the first chooses. Default: the headline.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As in 2h: begin no trial that would not fit."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Database that many machines share, as postgresql://... Default: a file in --out.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the study; one that is there is gone on with.", show_default=False),
    ] = None,
    backbone: Backbone = None,
    weights: Weights = None,
    strategy: Strategy = None,
    epochs: Epochs = None,
    size: Size = None,
    seed: Seed = None,
    recipe: RecipeFile = None,
    settings: Settings = None,
    split: Split = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write all numbers there.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page of trials, figures and the chosen one."),
    ] = None,
    out: Out = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Try settings by a study, choose on val, and test the chosen ones once."""
    check_suffix(json_file, ".json")
    check_suffix(html, ".html")
    request = request_of(
        task,
        data,
        settings,
        backbone=backbone,
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
    # torch is loaded by now, Optuna with these
    from transfer.budget import parse_seconds  # noqa: PLC0415
    from transfer.sweeping.start import sweep as carry_out  # noqa: PLC0415
    from transfer.sweeping.sweep import Wishes  # noqa: PLC0415

    seconds = parse_seconds(budget) if budget is not None else None
    found = carry_out(
        request,
        space,
        wishes=Wishes(trials, seeds, seconds),
        objectives=names_in(objectives),
        storage=storage,
        progress=Terminal(),
    )
    _tell(found, out, tracking_uri)
    _write(found, json_file, html)
    if found.ended:
        raise typer.Exit(_INTERRUPTED)
    if found.conclusion is None and not found.others:
        raise typer.Exit(_NOTHING)


def _tell(found: "Sweep", out: Path, tracking_uri: str | None) -> None:
    from transfer.budget import in_words  # noqa: PLC0415  # loaded with the sweep

    _print_trials(found)
    shares = sorted((found.importance or {}).items(), key=lambda pair: -pair[1])
    if shares:
        OUT.print(f"mattered   {', '.join(f'{name} {share:.2f}' for name, share in shares)}")
    for note in found.notes:
        OUT.print(f"note       {note}")
    if found.conclusion is not None:
        _print_conclusion(found, found.conclusion)
    if found.notice:
        OUT.print(f"notice     {found.notice}")
    OUT.print(f"run        {found.name} ({found.run_id}), {in_words(found.seconds)}")
    OUT.print(f"study      {found.study} in {found.storage}")
    if found.ended:
        OUT.print(f"stopped    {found.ended}")
        return
    if found.others:
        OUT.print(f"left       to {found.others} still at work on it; the last of them concludes")
        return
    store = options_for("--store", out, tracking_uri)
    if found.conclusion is not None:
        OUT.print(f"next       transfer predict {shlex.quote(found.conclusion.run)} PICTURE{store}")
    OUT.print(f"           transfer ui{store}   transfer runs --nested{store}")


def _print_trials(found: "Sweep") -> None:
    """Print the best trials, by the first objective, and what became of the others."""
    from transfer.sweeping.page import in_states, trials_table  # noqa: PLC0415  # loaded with it
    from transfer.sweeping.reading import ranked  # noqa: PLC0415

    head, rows = trials_table(found)
    shown = min(_SHOWN, len(ranked(found.trials, found.objectives)))
    OUT.print()
    print_table(head, rows[:shown])
    OUT.print(f"\ntrials     {in_states(found)}; the best {shown} are shown")


def _write(found: "Sweep", json_file: Path | None, html: Path | None) -> None:
    write_json(found.as_json(), json_file)
    if html is not None:
        from transfer.sweeping.page import as_page  # noqa: PLC0415  # loaded with the sweep

        write_text(as_page(found), html)


def _print_conclusion(found: "Sweep", chosen: "Conclusion") -> None:
    name = found.objectives[0].name
    for repeat in chosen.repeats:
        values = ", ".join(f"{value:.4f}" for value in repeat.values)
        OUT.print(
            f"repeated   trial {repeat.number}: {name} {values} on {len(repeat.values)} seeds, "
            f"mean {repeat.mean:.4f}"
        )
    OUT.print(f"chosen     trial {chosen.number}: {found.trial(chosen.number).words()}")
    OUT.print(f"val        {scores_line(chosen.val, found.shown)}")
    if chosen.test:
        OUT.print(f"test       {scores_line(chosen.test, found.shown)}")
        OUT.print("           of the chosen settings alone, looked at once")
