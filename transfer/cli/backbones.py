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


def backbones(
    pattern: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATTERN]",
            help="Names of timm with * and ?; without it, ResNets and what came before.",
            show_default=False,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=8, help="Side of the picture for GMACs, px.", show_default=False
        ),
    ] = None,
) -> None:
    """List backbones with parameters, multiply-adds, and whether weights are on this machine."""
    with OUT.status("asking timm"):
        # torch; help must be fast
        import timm  # noqa: PLC0415

        from transfer.network.pretrained import starter_backbone  # noqa: PLC0415

        names = sorted(timm.list_models(pattern)) if pattern else list(_FAMILY)
    if not names:
        raise RecipeError(f"timm has no model {pattern!r}; write a part with stars: '*resnet*'")
    size_px, progress = size or Recipe().size, Terminal()
    progress.say(f"counting   {len(names)} backbones for one picture of {size_px} px")
    with progress.step("counting", len(names), "models") as step:
        rows = []
        for name in names:
            rows.append(_row(name, size_px, starter_backbone()))
            step.advance(note=name)
    print_table(["backbone", "parameters", "GMACs", "weights here"], rows)
    OUT.print("\nnext       transfer fit TASK --data FOLDER --backbone NAME")


def _row(name: str, size_px: int, starter: str) -> list[str]:
    from transfer.network.cost import count_cost  # noqa: PLC0415  # torch; help must be fast
    from transfer.network.pretrained import cached_file  # noqa: PLC0415

    places = ["hub"] if cached_file(name) else []
    places += ["starter"] if name == starter else []
    try:
        cost = count_cost(name, size_px)
    except (AssertionError, RuntimeError, RecipeError):  # of another size only, or without pooling
        return [name, "", "not at this size", " ".join(places)]
    return [
        name,
        f"{cost.parameters / 1e6:,.2f} M",
        f"{cost.macs / 1e9:,.3f}",
        " ".join(places) or "-",
    ]
