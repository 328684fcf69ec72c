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

_NARROW = 0.12  # of the height of the panel: names nearer than that to each other are parted


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
    shown = [one for one in climbed if one.footprint is not None and one.best is not None]
    score = score.replace("_", " ")
    figure = new_figure(480, f"Ladder: {score} on val, by latency of one picture")
    axes = figure.subplots(subplot_kw={"xscale": "log"})
    style(axes, xlabel="ms a picture, fp32, one at a time", ylabel=score)
    front = [(x, one.best.value) for one, x in _at(undominated(shown, _latency)) if one.best]
    axes.plot(*zip(*front, strict=True), color=GRID, linewidth=6, zorder=1, label="nobody beats")
    labelled: set[str] = set()
    for one, x in _at(shown):
        for tried in one.tried:
            _point(axes, x, tried, is_chosen=one.rung.name == chosen and tried == one.best)
            labelled.add(tried.strategy)
    for strategy in sorted(labelled):
        axes.plot([], [], color=MUTED, label=strategy, **_marker(strategy))
    if most_ms is not None:
        axes.axvline(most_ms, color=MUTED, linewidth=1, linestyle="--", label="asked for at most")
    if chosen is not None:
        axes.plot([], [], color=ORANGE, marker="o", linestyle="", label="chosen on val")
    axes.margins(x=0.15, y=0.15)
    _plain_ticks(axes)
    _names(axes, shown)
    axes.legend(loc="lower right", **LEGEND)
    return png(figure)


def _latency(footprint: Footprint) -> float:
    return footprint.latency_ms


def _at(climbed: Sequence[Climbed]) -> list[tuple[Climbed, float]]:
    return [(one, one.footprint.latency_ms) for one in climbed if one.footprint is not None]


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
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415  # late

    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _names(axes: "Axes", shown: Sequence[Climbed]) -> None:
    """Write the name of each rung beside its best network, those that would touch apart."""
    low, high = axes.get_ylim()
    last = low - high
    for one, x in sorted(_at(shown), key=lambda pair: pair[0].best.value if pair[0].best else low):
        if one.best is None:
            continue
        place = max(one.best.value, last + _NARROW / 3 * (high - low))
        last = place
        text: dict[str, Any] = {"fontsize": 8.5, "color": INK, "va": "center", "parse_math": False}
        axes.annotate(
            one.rung.name,
            (x, place),
            xytext=(7, 0),
            textcoords="offset points",
            **text,
        )
