"""`transfer cache`: what is kept between runs, and how it is removed."""

from typing import Annotated

import typer

from transfer.cache.folder import KINDS, Kind, cache_folder, clear, is_private, used
from transfer.cli.console import OUT, print_table
from transfer.errors import RecipeError

cache = typer.Typer(help="See and clear what is kept between runs.", invoke_without_command=True)
_ABOUT = {
    "pixels": "pictures at working size, those of sensitive tasks too",
    "features": "of frozen backbones",
    "digests": "what files held, by path, size and time",
}


@cache.callback()
def show(context: typer.Context) -> None:
    """List what is kept between runs; all of it can be made again."""
    if context.invoked_subcommand is not None:
        return
    rows = [
        [
            each.kind,
            _size(each.size),
            f"{each.files:,}",
            f"{each.last.astimezone():%Y-%m-%d %H:%M}" if each.last else "",
            _ABOUT[each.kind],
        ]
        for each in used()
    ]
    whose = "nobody else can look into it" if is_private() else "OTHERS CAN LOOK INTO IT"
    OUT.print(f"cache      {cache_folder()}; {whose}")
    print_table(["what", "size", "files", "last used", "about"], rows)
    OUT.print(f"\nnext       transfer cache clear [{'|'.join(KINDS)}]")


@cache.command("clear")
def remove(
    kind: Annotated[
        str | None,
        typer.Argument(metavar=f"[{'|'.join(KINDS)}]", help="What to remove; unset removes all."),
    ] = None,
) -> None:
    """Remove what is kept; runs that use it go on undisturbed."""
    freed = [clear(each) for each in _kinds(kind)]
    for each in freed:
        OUT.print(f"removed    {each.kind}: {each.files:,} files")
    OUT.print(f"freed      {_size(sum(each.size for each in freed))}")


def _kinds(name: str | None) -> list[Kind]:
    kinds = [kind for kind in KINDS if name in {None, kind}]
    if not kinds:
        raise RecipeError(f"nothing called {name!r} is kept; there are {', '.join(KINDS)}")
    return kinds


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
