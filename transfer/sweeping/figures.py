"""The pictures of a sweep: how the best grew, what mattered, and who none beats."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from transfer.drawing import BLUE, GRID, INK, LEGEND, MUTED, ORANGE, new_figure, png, style
from transfer.sweeping.result import Sweep, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_history(found: Sweep) -> bytes:
    """Draw the first objective of each trial, and the best so far, as PNG."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  # half a second that only this pays

    objective = found.objectives[0]
    name = objective.name.replace("_", " ")
    figure = new_figure(420, f"Sweep: {name} on val, trial by trial")
    axes = figure.subplots()
    style(axes, xlabel="trial", ylabel=name)
    done = _with_values(found, "complete")
    better = min if objective.lower_is_better else max
    if done:
        numbers, values = _points(done)
        best = list(accumulate(values, better))
        axes.step(numbers, best, where="post", color=GRID, linewidth=4, label="best so far")
        axes.plot(numbers, values, color=BLUE, marker="o", linestyle="", label="complete")
    if stopped := _with_values(found, "stopped"):
        hollow: dict[str, Any] = {"marker": "o", "linestyle": "", "markerfacecolor": "white"}
        axes.plot(*_points(stopped), color=MUTED, label="stopped, its last epoch", **hollow)
    _mark_chosen(axes, found, lambda one: (one.number, one.values[0]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best", **LEGEND)
    return png(figure)


def draw_importance(found: Sweep) -> bytes:
    """Draw what share of the variation each setting explains, as PNG."""
    shares = sorted((found.importance or {}).items(), key=lambda pair: pair[1])
    name = found.objectives[0].name.replace("_", " ")
    figure = new_figure(110 + 34 * len(shares), f"Sweep: which setting moved {name}")
    axes = figure.subplots()
    style(axes, xlabel="share of the variation between complete trials (fANOVA)")
    bars = axes.barh([setting for setting, _ in shares], [share for _, share in shares], color=BLUE)
    axes.bar_label(bars, [f"{share:.2f}" for _, share in shares], color=INK, fontsize=9, padding=3)
    axes.set_xlim(0, 1.05)
    return png(figure)


def draw_front(found: Sweep) -> bytes:
    """Draw the first two objectives of complete trials, those that none beats joined, as PNG."""
    across, up = found.objectives[1], found.objectives[0]
    figure = new_figure(
        460, f"Sweep: {up.name.replace('_', ' ')} and {across.name}, who none beats"
    )
    axes = figure.subplots()
    style(axes, xlabel=across.name.replace("_", " "), ylabel=up.name.replace("_", " "))
    done = _with_values(found, "complete")
    front = sorted((one.values[1], one.values[0]) for one in done if one.number in found.front)
    axes.plot(*zip(*front, strict=True), color=GRID, linewidth=5, zorder=1, label="none beats")
    places = ([one.values[1] for one in done], [one.values[0] for one in done])
    axes.plot(*places, color=BLUE, marker="o", linestyle="", zorder=2, label="complete")
    _mark_chosen(axes, found, lambda one: (one.values[1], one.values[0]))
    axes.legend(loc="best", **LEGEND)
    return png(figure)


def _with_values(found: Sweep, state: str) -> list[Trial]:
    return [
        one
        for one in found.trials
        if one.state == state and one.values and not math.isnan(one.values[0])
    ]


def _points(trials: Sequence[Trial]) -> tuple[list[int], list[float]]:
    return [one.number for one in trials], [one.values[0] for one in trials]


def _mark_chosen(axes: "Axes", found: Sweep, place: Callable[[Trial], tuple[float, float]]) -> None:
    if found.conclusion is None:
        return
    x, y = place(found.trial(found.conclusion.number))
    label = f"chosen: trial {found.conclusion.number}"
    axes.plot([x], [y], color=ORANGE, marker="o", markersize=9, linestyle="", label=label)
