"""The picture of a ladder: score with its interval against latency, and who nobody beats."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transfer.drawing import BLUE, GRID, INK, LEGEND, MUTED, ORANGE, new_figure, png, style
from transfer.laddering.choosing import undominated
from transfer.laddering.footprint import Footprint
from transfer.laddering.result import Climbed, Tried

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROOM = 1.6  # on both sides of the latencies, as a factor


def pareto(
    climbed: Sequence[Climbed], score: str, chosen: str | None, most_ms: float | None = None
) -> bytes:
    """Draw every network that has a score against the latency of its backbone, as PNG.

    Args:
        climbed: the rungs; those without a footprint or a score are left out.
        score: name of the headline.
        chosen: name of the rung that was chosen.
        most_ms: latency that was asked for.
    """
    shown = sorted(_at(climbed), key=lambda pair: pair[1])
    score = score.replace("_", " ")
    figure = new_figure(480, f"Ladder: {score} on val, by latency of one picture")
    axes, beside = figure.subplots(1, 2, width_ratios=(3, 1))
    style(axes, xlabel="ms a picture, fp32, one at a time", ylabel=score)
    axes.set_xscale("log")
    axes.set_xlim(shown[0][1] / _ROOM, shown[-1][1] * _ROOM)
    front = undominated([one for one, _ in shown], _latency)
    steps = [(x, one.best.value) for one, x in _at(front) if one.best is not None]
    axes.plot(*zip(*steps, strict=True), color=GRID, linewidth=6, zorder=1, label="nobody beats")
    for number, (one, x) in enumerate(shown, start=1):
        for tried in one.tried:
            _point(axes, x, tried, is_chosen=one.rung.name == chosen and tried == one.best)
        _number(axes, number, x, one)
    for strategy in sorted({tried.strategy for one, _ in shown for tried in one.tried}):
        axes.plot([], [], color=MUTED, label=strategy, **_marker(strategy))
    if most_ms is not None:
        axes.axvline(most_ms, color=MUTED, linewidth=1, linestyle="--", label="asked for at most")
    if chosen is not None:
        axes.plot([], [], color=ORANGE, marker="o", linestyle="", label="chosen on val")
    axes.margins(y=0.12)
    _plain_ticks(axes)
    beside.axis("off")
    beside.legend(*axes.get_legend_handles_labels(), loc="lower left", **LEGEND)
    names = [f"{number}  {one.rung.name}" for number, (one, _) in enumerate(shown, start=1)]
    text: dict[str, Any] = {"fontsize": 9, "color": INK, "va": "top", "parse_math": False}
    beside.text(0, 1, "\n".join(names), linespacing=1.5, transform=beside.transAxes, **text)
    return png(figure)


def _latency(footprint: Footprint) -> float:
    return footprint.latency_ms


def _at(climbed: Sequence[Climbed]) -> list[tuple[Climbed, float]]:
    """Return the rungs that have a latency and a score, each with its latency, ms."""
    return [
        (one, one.footprint.latency_ms)
        for one in climbed
        if one.footprint is not None and one.best is not None
    ]


def _marker(strategy: str) -> dict[str, Any]:
    filled = {} if strategy != "probe" else {"markerfacecolor": "white"}
    return {"marker": "s" if strategy == "scratch" else "o", "linestyle": "", **filled}


def _point(axes: "Axes", x: float, tried: Tried, *, is_chosen: bool) -> None:
    if math.isnan(tried.value):
        return
    color = ORANGE if is_chosen else BLUE
    if tried.low is not None and tried.high is not None:
        axes.plot([x, x], [tried.low, tried.high], color=color, linewidth=1.2, alpha=0.6, zorder=2)
    axes.plot([x], [tried.value], color=color, markersize=7, zorder=3, **_marker(tried.strategy))


def _plain_ticks(axes: "Axes") -> None:
    """Write 1, 2, 5, 10 and so on, not powers: a panel may span less than one of those."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: PLC0415  # late

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _number(axes: "Axes", number: int, x: float, one: Climbed) -> None:
    """Write the number of a rung above its best network; its name stands beside the panel."""
    if one.best is None:
        return
    top = one.best.value if one.best.high is None else one.best.high
    text: dict[str, Any] = {"fontsize": 8.5, "color": INK, "ha": "center", "va": "bottom"}
    axes.annotate(str(number), (x, top), xytext=(0, 2), textcoords="offset points", **text)
