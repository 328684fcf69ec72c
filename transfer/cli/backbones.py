"""`transfer backbones`: what there is to transfer from, and what it costs."""

from typing import Annotated

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.errors import RecipeError
from transfer.recipe import Recipe

# One a size and kind; timm has hundreds.
_FAMILY = (
    *("resnet10t", "resnet18", "resnet18d", "resnet26d", "resnet34", "resnet34d", "resnet50"),
    *("resnet50d", "resnet101", "resnet101d", "resnet152", "resnet152d", "wide_resnet50_2"),
    *("resnext50_32x4d", "seresnet50", "densenet121", "densenet161", "densenet201", "vgg11_bn"),
    *("vgg16_bn", "alexnet", "resnet20", "resnet56", "plain20", "plain56"),
)
_COLUMNS = ("backbone", "parameters", "GMACs", "weights here")
_SPEEDS = ("predict fp32", "predict bf16", "train fp32", "train bf16")
_NOT_SO = (AssertionError, RuntimeError, RecipeError)  # of another size only, or without pooling


def backbones(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]",
            help="Names of timm with * and ?; without it, ResNets and what came before.",
            show_default=False,
        ),
    ] = None,
    *,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=8, help="Side of the picture for GMACs, px.", show_default=False
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure images/s on this machine, some 5 s a backbone."),
    ] = False,
) -> None:
    """List backbones with parameters, multiply-adds, and whether weights are on this machine."""
    names = _names(pattern)
    size_px, batch_size, progress = size or Recipe().size, Recipe().batch_size, Terminal()
    progress.say(f"counting   {len(names)} backbones for one picture of {size_px} px")
    if measure:
        progress.say(f"measuring  images/s of random pictures in batches of {batch_size}")
    rows = []
    with progress.step("measuring" if measure else "counting", len(names), "models") as step:
        for name in names:
            speeds = _speeds(name, size_px, batch_size) if measure else []
            rows.append([*_row(name, size_px), *speeds])
            step.advance(note=name)
    print_table([*_COLUMNS, *(_SPEEDS if measure else ())], rows)
    OUT.print("\nnext       transfer fit TASK --data FOLDER --backbone NAME")


def _names(pattern: str | None) -> list[str]:
    """Return the names that match.

    Raises:
        RecipeError: none does.
    """
    if pattern is None:
        return list(_FAMILY)
    with OUT.status("asking timm"):
        import timm  # noqa: PLC0415  # torch; help must be fast

        import transfer.network.backbone  # noqa: F401, PLC0415  # registers our own

        names = sorted(timm.list_models(pattern))
    if not names:
        raise RecipeError(f"timm has no model {pattern!r}; write a part with stars: '*resnet*'")
    return names


def _row(name: str, size_px: int) -> list[str]:
    from transfer.network.cost import count_cost  # noqa: PLC0415  # torch; help must be fast
    from transfer.network.pretrained import cached_file, starter_backbone  # noqa: PLC0415

    places = ["hub"] if cached_file(name) else []
    places += ["starter"] if name == starter_backbone() else []
    try:
        cost = count_cost(name, size_px)
    except _NOT_SO:
        return [name, "", "not at this size", " ".join(places)]
    here = " ".join(places) or "-"
    return [name, f"{cost.parameters / 1e6:,.2f} M", f"{cost.macs / 1e9:,.3f}", here]


def _speeds(name: str, size_px: int, batch_size: int) -> list[str]:
    """Return images/s of inference in fp32 and bf16, then of training in both."""
    # torch; help must be fast
    from transfer.finetuning.speed import PRECISIONS, measure_speed  # noqa: PLC0415

    try:
        speeds = [measure_speed(name, size_px, batch_size, each) for each in PRECISIONS]
    except _NOT_SO:
        return [""] * len(_SPEEDS)
    return [f"{value:,.0f}" for both in zip(*speeds, strict=True) for value in both]
