"""`transfer data`, `transfer fetch` and `transfer samples`: what there is to learn from."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.console import ERR, OUT, Terminal, print_table
from transfer.cli.options import Task
from transfer.errors import BrokenPromiseError

if TYPE_CHECKING:
    from transfer.catalogue.card import Card, File

_INTERRUPTED = 130
Below = Annotated[
    Path, typer.Option("--to", metavar="FOLDER", help="Folder that data sets lie in.")
]


def data(
    card: Annotated[
        str | None,
        typer.Argument(metavar="[CARD]", help="Show this one whole.", show_default=False),
    ] = None,
    to: Below = Path("data"),
) -> None:
    """List public data sets by task, and which of them are here."""
    from transfer.catalogue.installed import read_catalogue  # noqa: PLC0415  # pydantic

    catalogue = read_catalogue()
    if card is not None:
        _show(catalogue.card(card), to)
        return
    rows = [
        [
            each.name,
            each.task,
            f"{each.pictures:,}",
            _size(each.megabytes),
            _whereabouts(each, to),
            each.licence,
        ]
        for each in catalogue.cards
    ]
    print_table(["data set", "task", "pictures", "size", "here", "licence"], rows)
    for line in catalogue.broken:
        ERR.print(f"note       {line}", style="yellow")
    OUT.print("\nnext       transfer data CARD   transfer fetch CARD")


def fetch(
    card: Annotated[str, typer.Argument(metavar="CARD", help="A data set; see transfer data.")],
    to: Below = Path("data"),
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the archives once they are unpacked.")
    ] = False,
) -> None:
    """Download a public data set, check it and unpack it; broken off, it goes on."""
    from transfer.catalogue.fetch import fetch  # noqa: PLC0415  # requests
    from transfer.catalogue.installed import read_catalogue  # noqa: PLC0415  # pydantic
    from transfer.catalogue.places import downloads_of  # noqa: PLC0415  # likewise

    found = read_catalogue().card(card)
    try:
        folder = fetch(found, to, Terminal(), keep=keep)
    except KeyboardInterrupt as error:
        ERR.print(
            f"stopped    what has come is in {downloads_of(found, to)}; "
            "the same command goes on from there"
        )
        raise typer.Exit(_INTERRUPTED) from error
    OUT.print(f"data       {found.pictures:,} pictures, {found.licence}; cite {found.citation}")
    OUT.print(f"split      {found.split}")
    OUT.print(f"next       {found.fit_line(folder)}")


def samples(
    task: Task,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="New folder to write.")],
    count: Annotated[int, typer.Option("--count", min=1, help="How many samples.")] = 600,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws other samples.")] = 0,
) -> None:
    """Write the small data set a task can draw by itself, in its own file format."""
    write_samples(task, out, count, seed)
    OUT.print(f"wrote      {count} samples of {task} to {out}")
    OUT.print(f"next       transfer fit {task} --data {shlex.quote(str(out))}")


def write_samples(name: str, folder: Path, count: int, seed: int) -> None:
    """Write the samples of the task `name`.

    Raises:
        BrokenPromiseError: the task writes none.
        OutputError: the folder cannot be written, or holds something already.
    """
    from transfer.plugin.discovery import load_task  # noqa: PLC0415  # pandas; help must be fast

    task = load_task(name)
    if task.write_samples is None:
        raise BrokenPromiseError(f"task {name!r} writes no samples; bring data of your own")
    task.write_samples(folder, count, seed)


def _show(card: "Card", below: Path) -> None:
    from transfer.catalogue.places import folder_of  # noqa: PLC0415  # pydantic

    OUT.print(f"{card.name:<10} {card.title}")
    facts = {
        "task": card.task,
        "about": card.page,
        "pictures": f"{card.pictures:,} of {card.classes:,} classes",
        "licence": card.licence,
        "layout": f"{card.layout}{f' in {card.data}' if card.data else ''}",
        "split": card.split,
        "citation": card.citation,
        "here": _whereabouts(card, below),
        "account": card.account,
    }
    for name, fact in facts.items():
        if fact:
            OUT.print(f"{name:<10} {fact}")
    for file in card.files:
        OUT.print(f"file       {file.name}, {_size(file.megabytes)}, {_origin(file)}")
    fetched = card.fit_line(folder_of(card, below))
    OUT.print(f"\nnext       transfer fetch {card.name}\n           {fetched}")


def _origin(file: "File") -> str:
    checksum = file.checksum
    known = (
        f"{checksum[0]} {checksum[1]} as stated by {file.stated_by}"
        if checksum
        else "no checksum is published"
    )
    return f"{file.url or 'by hand'}, {known}"


def _whereabouts(card: "Card", below: Path) -> str:
    from transfer.catalogue.places import downloads_of, folder_of, state_of  # noqa: PLC0415

    state = state_of(card, below)
    if state.whole:
        return str(folder_of(card, below))
    if state.megabytes:
        return f"{_size(state.megabytes)} in {downloads_of(card, below)}"
    return "needs an account" if card.account else "-"


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:,.1f} GB" if megabytes >= 1000 else f"{megabytes:,.0f} MB"  # noqa: PLR2004
