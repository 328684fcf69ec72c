"""`transfer enrol` and `transfer identify`: who is known, and who is in a picture."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.errors import OutputError

if TYPE_CHECKING:
    from tasks.face_recognition.gallery_file import GalleryFile

_GALLERY = Path("gallery")

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Name of a run, its id or the start of it, or last.")
]
Store = Annotated[Path, typer.Option("--store", metavar="FOLDER", help="Where the run store is.")]
TrackingUri = Annotated[
    str | None,
    typer.Option("--tracking-uri", metavar="URI", help="MLflow server to use instead of --store."),
]


def enrol(arguments: list[str]) -> None:
    """Run `transfer enrol` with `arguments`."""
    _call("enrol", _enrol, arguments)


def identify(arguments: list[str]) -> None:
    """Run `transfer identify` with `arguments`."""
    _call("identify", _identify, arguments)


def _enrol(  # noqa: PLR0913  # the options
    run: Run,
    people: Annotated[
        Path, typer.Argument(metavar="GALLERY_FOLDER", help="A folder of pictures for each person.")
    ],
    *,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the gallery goes; one is replaced.")
    ] = _GALLERY,
    fpir: Annotated[
        float,
        typer.Option(min=1e-6, max=0.5, help="Share of strangers who may be taken for somebody."),
    ] = 0.1,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER_OR_TABLE", help="The run's data, if they have moved."),
    ] = None,
    store: Store = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Enrol people, and set the threshold for strangers on people whom the run held out."""
    import transfer  # noqa: PLC0415  # torch; help must be fast
    from tasks.face_recognition.enrolment import (  # noqa: PLC0415
        enrol_people,
        people_in,
        strangers_of,
    )
    from tasks.face_recognition.gallery_file import write_gallery  # noqa: PLC0415

    rows = people_in(people)
    predictor = transfer.load(run, store=store, tracking_uri=tracking_uri)
    manifest = transfer.rows_of(run, data=data, store=store, tracking_uri=tracking_uri)
    strangers = strangers_of(manifest, [row.label for row in rows])
    gallery = enrol_people(predictor, rows, strangers, fpir)
    write_gallery(out, gallery)
    _tell_gallery(gallery, out, f"{shlex.quote(run)} IMAGE --gallery {shlex.quote(str(out))}")


def _identify(
    run: Run,
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Pictures, or folders of them.")
    ],
    *,
    gallery: Annotated[
        Path, typer.Option(metavar="FOLDER", help="That transfer enrol has written.")
    ] = _GALLERY,
    out: Annotated[
        Path | None, typer.Option(metavar="TABLE.csv", help="Write the answers there as well.")
    ] = None,
    store: Store = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Say who of a gallery is in pictures, or that it is nobody of them: unknown."""
    import transfer  # noqa: PLC0415  # torch; help must be fast
    from tasks.face_recognition.enrolment import faces_in, identify_faces  # noqa: PLC0415
    from tasks.face_recognition.gallery_file import read_gallery  # noqa: PLC0415

    known, rows = read_gallery(gallery), faces_in(images)
    predictor = transfer.load(run, store=store, tracking_uri=tracking_uri)
    found = identify_faces(predictor, known, rows)
    for row in found.to_dict("records"):
        said = row["error"] or f"{row['person']}  {row['likeness']:.3f}"
        typer.echo(f"{row['image']}  {said}")
    if out is not None:
        part = out.with_name(f".{out.name}.part")
        try:
            found.to_csv(part, index=False)
            part.replace(out)
        except OSError as error:
            raise OutputError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
        typer.echo(f"wrote      {len(found):,} rows to {out}")


def _tell_gallery(gallery: "GalleryFile", out: Path, ask: str) -> None:
    people, pictures = gallery.strangers
    aligned = "aligned by landmarks" if gallery.aligned else "as they were cropped, not aligned"
    enrolled = f"{len(gallery.people):,} people by {sum(gallery.pictures):,} pictures"
    typer.echo(f"enrolled   {enrolled}, {aligned}")
    typer.echo(
        f"threshold  {gallery.threshold:.3f}: at most {gallery.false_rate:g} of {pictures:,} "
        f"pictures of {people:,} strangers ({gallery.split}) are taken for somebody of these"
    )
    typer.echo(
        f"wrote      {out}; another gallery, or one with more people, needs its own threshold"
    )
    typer.echo(f"next       transfer identify {ask}")


def _call(name: str, function: Callable[..., None], arguments: list[str]) -> None:
    """Run a command of Typer as the framework's own are run."""
    app: Any = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name)(function)
    app(arguments, prog_name=f"transfer {name}", standalone_mode=True)
