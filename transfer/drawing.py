"""The paper that figures are drawn on: its colours, its style, and the bytes of a PNG.

Equal values give equal bytes. Figures are never made through pyplot: nothing stays open, and
threads do not meet.
"""

import io
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BYTES = 120_000  # of a picture; one that would be larger is given fewer colours
WIDTH_PX = 800  # what MLflow's artifact viewer has room for
_DPI = 100

# Okabe & Ito's blue and vermilion: told apart by every kind of colour vision.
BLUE, PALE_BLUE, ORANGE = "#0072b2", "#8cc1e0", "#d55e00"
PAPER, INK, MUTED, GRID = "#ffffff", "#2f3a42", "#68747d", "#e4e8eb"
LEGEND: dict[str, Any] = {
    "fontsize": 9,
    "labelcolor": INK,
    "facecolor": PAPER,
    "edgecolor": GRID,
}


def new_figure(
    height_px: int,
    title: str,
    *,
    width_px: int = WIDTH_PX,
    layout: Literal["constrained", "compressed", "none"] = "constrained",
) -> "Figure":
    """Return an empty figure of that size, px, with a title."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # half a second that only a run pays

    figure = Figure((width_px / _DPI, height_px / _DPI), dpi=_DPI, facecolor=PAPER)
    figure.set_layout_engine(layout)
    # A layout finds its own place above the panels for a title without y.
    top = 1 - 8 / height_px if layout == "none" else None
    bold: dict[str, Any] = {"fontsize": 11, "fontweight": "bold", "color": INK}
    figure.suptitle(title, x=8 / width_px, y=top, ha="left", va="top", parse_math=False, **bold)
    return figure


def style(axes: "Axes", *, xlabel: str = "", ylabel: str = "", grid: bool = True) -> None:
    """Give `axes` the colours of the paper, and names to its sides."""
    # Said here, figure by figure: matplotlib's own settings are shared by the whole process.
    axes.set_facecolor(PAPER)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.spines[:].set_color(GRID)
    axes.grid(visible=False)
    if grid:
        axes.grid(visible=True, color=GRID, linewidth=0.8)
    if xlabel:
        axes.set_xlabel(xlabel, color=INK, fontsize=10)
    axes.set_ylabel(ylabel, color=INK, fontsize=10)


def png(figure: "Figure") -> bytes:
    """Return `figure` as a PNG that is no larger than a browser likes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  # as above

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    content = _encode(image)
    for colors in (256, 64, 16):
        if len(content) <= _MOST_BYTES:
            break
        # k-means until under 30,000 pixels still move: the last ones take seconds, unseen.
        content = _encode(image.quantize(colors, kmeans=30_000, dither=Image.Dither.NONE))
    return content


def _encode(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")  # the last 2 % of the bytes would take eight times as long
    return buffer.getvalue()
