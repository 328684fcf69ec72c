"""`transfer map`: what a run says of every place of a scene."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from transfer.cli.console import OUT, Terminal, print_table
from transfer.cli.options import Run, StoreFolder, TrackingUri
from transfer.cli.plugged import call
from transfer.errors import BrokenPromiseError, OutputError, RecipeError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.satellite_vegetation.blending import Grid
    from tasks.satellite_vegetation.scene import Scene
    from transfer import Predictor

_TASK = "satellite_vegetation"
_SUFFIXES = (".tif", ".tiff")
_MINUTE = 60


def map_scene(arguments: list[str]) -> None:
    """Carry out `transfer map` with the arguments behind it."""
    call("transfer map", draw_map, arguments)


def draw_map(  # noqa: PLR0913  # the options
    run: Run,
    scene: Annotated[Path, typer.Argument(metavar="SCENE.tif", help="Of any size.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.tif", help="The map; a PNG lies beside it.")],
    *,
    bands: Annotated[
        str,
        typer.Option(
            metavar="B2,B3,...", help="Names of all bands of the scene, where it has none."
        ),
    ] = "",
    window: Annotated[
        int | None,
        typer.Option(
            min=8, help="Side of a window, px of the scene; unset takes that of the run's chips."
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="From one window to the next, px; a half of it is four times the time. "
            "Unset takes half a window.",
        ),
    ] = None,
    resolution: Annotated[
        Literal["stride", "scene"],
        typer.Option(help="A pixel of the map for each stride, or for each pixel of the scene."),
    ] = "stride",
    store: StoreFolder = Path("mlruns"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Draw the map of a scene: band 1 the class, band 2 how probable it is, in percent."""
    _check_names(scene, out)
    with OUT.status("loading the network"):
        from tasks.satellite_vegetation.blending import Grid  # noqa: PLC0415
        from tasks.satellite_vegetation.scene import open_scene  # noqa: PLC0415
        from transfer import load  # noqa: PLC0415  # torch

        predictor = load(run, store=store, tracking_uri=tracking_uri)
    _check_run(predictor)
    side = window or _side_of_chips(predictor)
    step = stride or max(1, side // 2)
    cell = step if resolution == "stride" else 1
    named = tuple(name.strip() for name in bands.split(",")) if bands else ()
    with open_scene(scene, predictor.recipe, named) as opened:
        grid = Grid(opened.height, opened.width, side, step, cell)
        _draw(opened, grid, predictor, out, {"RUN": run, "SCENE": scene.name})
    OUT.print(f"wrote      {out}: band 1 class (0 no data), band 2 confidence in percent")
    OUT.print(f"           {out.with_suffix('.png')}: a small picture of it")


def _draw(
    scene: "Scene", grid: "Grid", predictor: "Predictor", out: Path, tags: dict[str, str]
) -> None:
    from tasks.satellite_vegetation.map_file import write_map  # noqa: PLC0415
    from tasks.satellite_vegetation.mapping import map_pieces, windows_to_see  # noqa: PLC0415
    from tasks.satellite_vegetation.survey import survey  # noqa: PLC0415

    terminal, file, windows = Terminal(), scene.stored.file, windows_to_see(grid)
    found = survey(scene, grid, predictor)
    for remark in found.remarks:
        terminal.warn(remark)
    crs = "without coordinates" if file.crs is None else file.crs.to_string()
    seconds = windows * found.held / found.windows_per_second
    OUT.print(f"scene      {grid.width:,} x {grid.height:,} px, {crs}, {', '.join(scene.names)}")
    OUT.print(
        f"windows    {windows:,} of {grid.window} px, each {grid.stride} px: about "
        f"{_duration(seconds)} at {found.windows_per_second:,.0f} a second"
    )
    rows, columns = grid.cells
    OUT.print(f"map        {columns:,} x {rows:,} px of {grid.cell} px of the scene")
    tags |= {"WINDOW_PX": str(grid.window), "STRIDE_PX": str(grid.stride)}
    with (
        terminal.step("mapping", windows, "windows") as step,
        write_map(out, file, grid, predictor.classes, tags) as result,
    ):
        for piece in map_pieces(scene, grid, predictor.predict_arrays, step.advance):
            result.add(piece)
    _say_what_covers(result.covered, predictor.classes, known=result.areas is not None)


def _check_names(scene: Path, out: Path) -> None:
    if out.suffix.lower() not in _SUFFIXES:
        raise OutputError(f"{str(out)!r}: a map is a GeoTIFF; call it {out.stem}.tif")
    if out.absolute() == scene.absolute():
        raise OutputError(f"{str(out)!r} is the scene itself; give the map another name")
    if not out.absolute().parent.is_dir():
        raise OutputError(f"{str(out)!r}: there is no folder {str(out.absolute().parent)!r}")


def _check_run(predictor: "Predictor") -> None:
    if predictor.task != _TASK:
        raise BrokenPromiseError(
            f"a map is drawn by runs of {_TASK}; this one is of {predictor.task}: "
            f"train with transfer fit {_TASK}"
        )
    if predictor.target != "single_label":
        raise BrokenPromiseError(f"a map shows one class a place; the run says {predictor.target}")


def _side_of_chips(predictor: "Predictor") -> int:
    if predictor.side_px is None:
        raise RecipeError(
            "the run did not note how large its chips were; say it: --window PX, the side of a "
            "chip before it was brought to the size the network sees"
        )
    return predictor.side_px


def _say_what_covers(
    covered: "NDArray[np.float64]", classes: tuple[str, ...], *, known: bool
) -> None:
    from tasks.satellite_vegetation.areas import HECTARE, KM2  # noqa: PLC0415

    mapped = covered[1:].sum()
    unit, size = ("km2", KM2) if mapped >= KM2 else ("ha", HECTARE)
    shares = covered[1 : len(classes) + 1] / max(mapped, 1e-9)
    rows = [
        [name, *([f"{area / size:,.2f}"] if known else []), f"{share:.1%}"]
        for name, area, share in zip(classes, covered[1:], shares, strict=False)
    ]
    print_table(["class", *([unit] if known else []), "of the map"], rows)
    if not known:
        OUT.print("           the scene says not where it lies: there are shares, and no areas")
    if covered[0]:
        OUT.print(f"no data    {covered[0] / covered.sum():.1%} of the scene")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} minutes"
