"""`transfer fit`, `transfer recipe` and `transfer demo`: everything that learns."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.console import OUT, Terminal
from transfer.cli.options import Data, Out, Seed, Task, TrackingUri
from transfer.cli.outcome import resumable, tell, tell_repeated
from transfer.errors import RecipeError

if TYPE_CHECKING:
    from transfer.overlay import Settled
    from transfer.start import Request

_STARTER_PX = 64  # what the starter weights were made at
_SETTING = typer.Option(
    "--set", metavar="KEY=VALUE", help="Any setting of transfer recipe; repeatable."
)

Backbone = Annotated[str | None, typer.Option(help="Any timm model name.", show_default=False)]
Weights = Annotated[
    str | None,
    typer.Option(
        help="auto, starter, none, hub, FILE.safetensors, or an earlier run.", show_default=False
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(help="lp-ft, probe, partial, gradual, finetune or scratch.", show_default=False),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data.", show_default=False)]
Size = Annotated[int | None, typer.Option(help="Side of the picture, px.", show_default=False)]
BatchSize = Annotated[
    int | None, typer.Option(help="Pictures a batch, of all processes.", show_default=False)
]
Rate = Annotated[
    str | None, typer.Option("--lr", help="Peak learning rate, or auto.", show_default=False)
]
Name = Annotated[str | None, typer.Option(help="Name of the run.", show_default=False)]
RecipeFile = Annotated[
    Path | None,
    typer.Option("--recipe", help="A .toml file, or recipe.json of a run.", show_default=False),
]
Settings = Annotated[list[str] | None, _SETTING]
Split = Annotated[
    str | None,
    typer.Option(metavar="RUN", help="Keep the rows in the splits of a run.", show_default=False),
]

Views = Annotated[
    int | None,
    typer.Option(min=0, help="Passes of views that a probe is fitted on too.", show_default=False),
]
Folds = Annotated[
    int | None,
    typer.Option(help="Cross-validate: so many runs; test rows stay out.", show_default=False),
]
Fractions = Annotated[
    str | None,
    typer.Option(
        metavar="SHARES",
        help="Learning curve: runs on 0.1,0.3,1 of the training rows, judged on val.",
        show_default=False,
    ),
]


def fit(  # noqa: PLR0913  # the everyday options
    task: Task,
    data: Data,
    *,
    backbone: Backbone = None,
    weights: Weights = None,
    strategy: Strategy = None,
    epochs: Epochs = None,
    size: Size = None,
    batch_size: BatchSize = None,
    lr: Rate = None,
    seed: Seed = None,
    name: Name = None,
    recipe: RecipeFile = None,
    settings: Settings = None,
    split: Split = None,
    views: Views = None,
    folds: Folds = None,
    fractions: Fractions = None,
    out: Out = Path("mlruns"),
    tracking_uri: TrackingUri = None,
    log_images: Annotated[
        bool, typer.Option("--log-images", help="Let pictures of a sensitive task into the store.")
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="Give the same bits again, on a card as well.")
    ] = False,
    allow_leaks: Annotated[
        bool,
        typer.Option(
            "--allow-leaks", help="Keep given splits that leak; said wherever the scores are."
        ),
    ] = False,
    cache_limit: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            min=0,
            help="Most disk for decoded pixels; see transfer cache.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; train and write nothing.")
    ] = False,
) -> None:
    """Fine-tune a network on labelled pictures, score it, and keep the run."""
    request = request_of(
        task,
        data,
        [
            *(settings or []),
            *_short_forms({"probe.views": views, "machine.pixels_gb": cache_limit}),
            *_flags({"machine.deterministic": deterministic, "split.allow_leaks": allow_leaks}),
        ],
        backbone=backbone,
        weights=weights,
        strategy=strategy,
        epochs=epochs,
        size=size,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        recipe=recipe,
        name=name,
        split=split,
        out=out,
        tracking_uri=tracking_uri,
        log_images=log_images,
        folds=folds,
        fractions=_shares(fractions),
    )
    if dry_run:
        _dry_run(request)
    elif request.repeats:
        _repeat(request)
    else:
        _run(request)


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or id of the run, or last.")],
    out: Out = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Continue a run that was killed or interrupted; it ends as if nothing had happened."""
    with OUT.status("loading torch"):
        from transfer.resumption import resume  # noqa: PLC0415  # seconds of imports, said aloud
    with resumable(out, tracking_uri):
        result = resume(run, out=out, tracking_uri=tracking_uri, progress=Terminal())
    tell(result, out, tracking_uri)


def recipe(
    task: Task,
    recipe_file: RecipeFile = None,
    settings: Settings = None,
) -> None:
    """Print every setting of a task with its value, origin and meaning, as a recipe file."""
    from transfer.overlay import Layer, read_layer, settle  # noqa: PLC0415
    from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas; help must be fast

    layers = [read_layer(recipe_file)] if recipe_file else []
    layers += [Layer("--set", assignments(settings))]
    settled = settle(load_task(task).defaults(), layers)
    _print_recipe(settled)


def demo(
    task: Annotated[str, typer.Argument(metavar="[TASK]", help="Whose samples.")] = (
        "satellite_vegetation"
    ),
    count: Annotated[int, typer.Option(min=40, help="How many samples.")] = 600,
    strategy: Strategy = None,
    epochs: Epochs = 8,  # a minute on two slow cores; a set of one's own takes as many as suit
    seed: Seed = None,
    out: Out = Path("mlruns"),
) -> None:
    """Write a small data set, teach the starter network, score it: the whole walk, offline."""
    from transfer.cli.data import write_samples  # noqa: PLC0415  # beside its heavy imports
    from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas; help must be fast

    folder = Path("data") / task / f"demo-{count}"
    began = time.perf_counter()
    if not folder.exists():
        with OUT.status("drawing samples"):
            write_samples(task, folder, count, seed=0)
        OUT.print(f"samples    {count} drawn pictures in {folder}")
    weights = None if strategy == "scratch" else "starter"
    # A task that names no size has one for ImageNet weights, too slow for a demo.
    size = None if "size" in load_task(task).recipe.model_fields_set else _STARTER_PX
    chosen = {"weights": weights, "size": size, "strategy": strategy}
    _run(request_of(task, folder, None, **chosen, epochs=epochs, seed=seed, out=out))
    OUT.print(f"took       {time.perf_counter() - began:.0f} s")


def request_of(
    task: str, data: Path, settings: Sequence[str] | None = None, **options: Any
) -> "Request":
    """Return what a person asks for; torch is loaded on the way.

    Args:
        task: name of an installed task.
        data: a folder or a table.
        settings: those of `--set`, as typed.
        options: fields of a `Request`, and everyday settings by their names in the recipe.
    """
    with OUT.status("loading torch"):
        from transfer.start import Request  # noqa: PLC0415  # seconds of imports, said aloud
    own = {field.name for field in fields(Request)}
    asked = {name: value for name, value in options.items() if name in own}
    everyday = {name: value for name, value in options.items() if name not in own}
    return Request(task, data, everyday, settings=assignments(settings), **asked)


def assignments(settings: Sequence[str] | None) -> Mapping[str, Any]:
    """Return the settings that `--set` gives, nested."""
    from transfer.overlay import parse_assignments  # noqa: PLC0415  # pydantic; help must be fast

    return parse_assignments(settings or []).changes


def _short_forms(numbers: Mapping[str, float | None]) -> list[str]:
    """Return what options of their own say as `--set` would."""
    return [f"{name}={number}" for name, number in numbers.items() if number is not None]


def _flags(flags: Mapping[str, bool]) -> list[str]:
    """Return the switches that are on as `--set` would turn them on."""
    return [f"{name}=true" for name, on in flags.items() if on]


def _shares(fractions: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(share) for share in (fractions or "").split(",") if share.strip())
    except ValueError as error:
        raise RecipeError(
            f"--fractions {fractions!r}: write numbers with commas between, as in 0.1,0.3,1"
        ) from error


def _repeat(request: "Request") -> None:
    from transfer.start import repeat  # noqa: PLC0415  # loaded by request_of

    tell_repeated(repeat(request, Terminal()), request.out, request.tracking_uri)


def _run(request: "Request") -> None:
    from transfer.start import carry_out  # noqa: PLC0415  # loaded by request_of

    with resumable(request.out, request.tracking_uri):
        result = carry_out(request, Terminal())
    tell(result, request.out, request.tracking_uri)


def _dry_run(request: "Request") -> None:
    from transfer.start import plan_for, plans_of  # noqa: PLC0415  # loaded by request_of
    from transfer.tracking.store import open_store  # noqa: PLC0415

    plan = plan_for(request, open_store(request.out, request.tracking_uri), Terminal())
    recipe = plan.settled.recipe
    if request.repeats:
        for part in plans_of(request, plan):
            rows = {name: len(part.manifest.numbers(name)) for name in ("train", "val", "test")}
            sizes = ", ".join(f"{name} {count:,}" for name, count in rows.items() if count)
            OUT.print(f"part       {part.name}: {sizes}")
    OUT.print(
        f"would      {recipe.strategy} {recipe.backbone} (weights: {recipe.weights}) at "
        f"{recipe.size} px, as {plan.name!r}, into {request.out}; nothing was trained or written"
    )


def _print_recipe(settled: "Settled") -> None:
    """Print the recipe as TOML that `--recipe` reads."""
    meanings = settled.recipe.meanings()
    for name, value in settled.recipe.dotted().items():
        OUT.print(f"# {meanings[name]}", style="dim")
        shown = f"# {name} is unset" if value is None else f"{name} = {json.dumps(value)}"
        OUT.print(f"{shown}  # {settled.origins[name]}\n")
    OUT.print("# next: transfer fit TASK --data FOLDER --set KEY=VALUE")
    OUT.print("#       kept in a file, all of this is what --recipe reads")
