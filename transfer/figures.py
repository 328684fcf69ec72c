"""Every picture a run logs, as the bytes of a PNG: equal values give equal bytes."""

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from transfer.drawing import (
    BLUE,
    INK,
    LEGEND,
    MUTED,
    ORANGE,
    PALE_BLUE,
    PAPER,
    WIDTH_PX,
    new_figure,
    png,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_MOST_MARKERS = 40  # epochs; the markers of more run together
_MOST_COUNTED = 20  # classes; the cells of more have no room for a number
_MOST_LABELS = 40  # bars
_DARK_SHARE = 0.35  # of a cell; from there on white is easier to read
_RGB = 3
_BREAKS = re.compile(r"(\s+|(?<=[a-z])(?=[A-Z])|(?<=_))")  # class names are long, but have parts


def learning_curves(epochs: pd.DataFrame, headline: str, best_epoch: int) -> bytes:
    """Draw loss, score on val and learning rate over the epochs, the kept epoch marked, as PNG.

    Of epoch 0, the probe, the score is shown; alone it makes the only panel.

    Args:
        epochs: one row per epoch, with columns `epoch` (0 is the probe), `loss` (mean training
            loss), `lr` and `headline` (the score on val); nan where there is no number.
        headline: name of the score, and of its column.
        best_epoch: the epoch whose weights are kept.
    """
    score = f"{headline.replace('_', ' ')} on val"
    panels = {"loss": ("training loss", 3.0), headline: (score, 3.0), "lr": ("learning rate", 1.3)}
    trained = epochs[epochs["epoch"] > 0]
    shown = [name for name in panels if name == headline or trained[name].notna().any()]
    heights = [panels[name][1] for name in shown]
    title = f"Learning curves: {score}, epoch {best_epoch} kept"
    figure = new_figure(int(110 + 75 * sum(heights)), title)
    stack = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    marker = "o" if len(trained) <= _MOST_MARKERS else ""
    for axes, name in zip(stack, shown, strict=True):
        style(axes, ylabel=panels[name][0])
        axes.axvline(best_epoch, color=ORANGE, linewidth=1, linestyle="--")
        axes.plot(trained["epoch"], trained[name], color=BLUE, marker=marker, markersize=4)
        axes.margins(y=0.15)
    _mark_epochs(stack[shown.index(headline)], epochs.set_index("epoch")[headline], best_epoch)
    stack[-1].set_xlabel("epoch", color=INK)
    stack[-1].set_xlim(epochs["epoch"].min() - 0.5, epochs["epoch"].max() + 0.5)
    stack[-1].locator_params(axis="x", integer=True, min_n_ticks=1)
    figure.align_ylabels()
    return png(figure)


def _mark_epochs(axes: "Axes", scores: "pd.Series[float]", best_epoch: int) -> None:
    if 0 in scores.index:
        axes.axhline(scores[0], color=MUTED, linewidth=1, linestyle=":")
        axes.plot(0, scores[0], "D", color=MUTED, markersize=6, label=f"probe: {scores[0]:.3f}")
    if best_epoch in scores.index:
        label = f"kept, epoch {best_epoch}: {scores[best_epoch]:.3f}"
        ring: dict[str, Any] = {"fillstyle": "none", "markersize": 12, "markeredgewidth": 2}
        axes.plot(best_epoch, scores[best_epoch], "o", color=ORANGE, label=label, **ring)
    axes.legend(**LEGEND)


def data_curve(curve: pd.DataFrame, score: str) -> bytes:
    """Draw a score, columns `value`, `low`, `high`, over the training `rows` it took, as PNG."""
    score = score.replace("_", " ")
    figure = new_figure(420, f"Learning curve: {score} on val, by training rows")
    axes = figure.subplots(subplot_kw={"xscale": "log"})
    style(axes, xlabel="training rows", ylabel=score)
    axes.fill_between(curve["rows"], curve["low"], curve["high"], color=PALE_BLUE, alpha=0.4)
    axes.plot(curve["rows"], curve["value"], color=BLUE, marker="o", markersize=4)
    axes.minorticks_off()
    axes.set_xticks(curve["rows"], [f"{rows:,}" for rows in curve["rows"]])
    return png(figure)


def confusion_matrix(counts: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Draw which classes are taken for which, as PNG.

    Colour is the share of the true class, so that a rare class is seen as well as a frequent one.

    Args:
        counts: rows of true class i (down) that were said to be class j (across), (K, K) int64.
        classes: the K names; where they are too many to be read, every nth is written.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # no rows: stays blank
    cell_px = _cell_px(len(classes))
    size = float(np.clip(cell_px / 2, 6.5, 9))
    names = [_shorten(name, 26) for name in classes]
    names_px = 0.85 * size * max(map(len, names))
    side_px = cell_px * len(classes)
    figure = new_figure(
        int(side_px + names_px + 90),
        f"Confusion matrix: {np.trace(counts):,} of {counts.sum():,} rows right",
        width_px=int(max(side_px + names_px + 160, 500)),
        layout="compressed",
    )
    axes = figure.subplots()
    # The square root: a mistake made one time in twenty must not look like none.
    image = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    style(axes, xlabel="said", ylabel="true", grid=False)
    step = int(np.ceil(10 / cell_px))
    ticks = np.arange(0, len(classes), step)
    text: dict[str, Any] = {"fontsize": size, "parse_math": False}
    axes.set_yticks(ticks, names[::step], **text)
    axes.set_xticks(ticks, names[::step], rotation=90 if names_px > cell_px else 0, **text)
    _share_bar(figure, image)
    if len(classes) <= _MOST_COUNTED:
        _write_counts(axes, counts, shares)
    return png(figure)


def _cell_px(classes: int) -> float:
    # As large as the counts and names need, as small as keeps the whole on a screen.
    return float(np.interp(classes, [2, 8, 20, 40, 60, 800], [110, 60, 34, 18, 13, 1]))


def _share_bar(figure: "Figure", image: "AxesImage") -> None:
    shares = [0, 0.05, 0.2, 0.5, 1]
    bar = figure.colorbar(image, shrink=0.7, aspect=30, ticks=np.sqrt(shares))
    bar.ax.set_yticklabels([f"{share:.0%}" for share in shares])
    bar.ax.tick_params(colors=INK, labelsize=8, length=0)
    bar.set_label("share of the true class", color=INK, fontsize=9)
    bar.outline.set_visible(False)


def _write_counts(axes: "Axes", counts: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(counts):
        color = PAPER if shares[row, column] > _DARK_SHARE else INK
        text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8, "color": color}
        axes.text(column, row, str(counts[row, column]), **text)


def average_precisions(labels: pd.DataFrame) -> bytes:
    """Draw the average precision of each label with its interval, beside its rows, as PNG.

    Labels stand from the best to the worst; of more than forty, only the worst.

    Args:
        labels: one row per label, with columns `class`, `rows`, `ap`, `ap_low` and `ap_high`, nan
            where there is no number.
    """
    ranked = labels.sort_values("ap", kind="stable", na_position="last")
    shown = ranked[:_MOST_LABELS][::-1]
    which = f"{len(labels)}" if len(shown) == len(labels) else f"the worst {len(shown)}"
    figure = new_figure(110 + 20 * len(shown), f"Average precision of {which} labels")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    places = np.arange(len(shown))[::-1]
    style(left, xlabel="average precision, and its interval")
    left.barh(places, shown["ap"], color=PALE_BLUE)
    left.hlines(places, shown["ap_low"], shown["ap_high"], color=BLUE, linewidth=2)
    left.set_xlim(0, 1)
    names = [_shorten(name, 30) for name in shown["class"]]
    left.set_yticks(places, names, fontsize=9, parse_math=False)
    style(right, xlabel="rows with the label")
    bars = right.barh(places, shown["rows"], color=MUTED)
    right.bar_label(bars, [f"{rows:,}" for rows in shown["rows"]], fontsize=8, padding=2, color=INK)
    right.margins(x=0.3)
    return png(figure)


def reliability_diagram(bins: pd.DataFrame, ece: float) -> bytes:
    """Draw how often the network is right where it is how sure, as PNG.

    Args:
        bins: one row per bin of confidence, with columns `low` and `high` in [0, 1], `rows`, and
            the means `confidence` and `accuracy`, nan where a bin is empty.
        ece: expected calibration error over these bins (Guo et al. 2017, arXiv:1706.04599).
    """
    figure = new_figure(640, f"Reliability: ECE {ece:.3f} over {len(bins)} bins")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    middle, width = (bins["low"] + bins["high"]) / 2, (bins["high"] - bins["low"]) * 0.9
    gap = bins["confidence"] - bins["accuracy"]
    style(upper, ylabel="accuracy: how often it is right")
    upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="as right as sure")
    upper.bar(middle, bins["accuracy"], width, color=PALE_BLUE, label="accuracy")
    shade: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": ORANGE,
        "hatch": "////",
        "linewidth": 0,
    }
    label = "gap to the mean confidence"
    upper.bar(middle, gap, width, bottom=bins["accuracy"], label=label, **shade)
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    upper.legend(**LEGEND)
    style(lower, xlabel="confidence: how sure the network is", ylabel="rows")
    bars = lower.bar(middle, bins["rows"], width, color=MUTED)
    numbers = [f"{rows:,}" if rows else "" for rows in bins["rows"]]
    lower.bar_label(bars, numbers, color=INK, fontsize=8, padding=2)
    lower.margins(y=0.25)
    return png(figure)


def picture_grid(
    pictures: Sequence[NDArray[np.uint8] | NDArray[np.float32]],
    captions: Sequence[str],
    title: str,
    columns: int = 8,
    colours: Sequence[int] | None = None,
) -> bytes:
    """Draw small pictures side by side with a caption under each, as PNG; see `displayable`.

    Args:
        pictures: alike, (S, S, C) uint8, or float32 in [0, 1]; enlarged without blur.
        captions: one per picture, line breaks kept; of what is too long, the end is left out.
        title: what is seen.
        columns: pictures in a row.
        colours: where red, green and blue are among the bands, where they are named.
    """
    pitch_px = WIDTH_PX // columns
    side_px = pitch_px - 4
    texts = [_wrap(caption, side_px) for caption in captions]
    row_px = side_px + 13 * max(map(len, texts), default=0) + 12
    head_px = 36
    height_px = head_px + row_px * max(1, -(-len(pictures) // columns))
    figure = new_figure(height_px, title, layout="none")
    shown = displayable(np.stack(pictures), colours) if len(pictures) else ()
    for number, (picture, lines) in enumerate(zip(shown, texts, strict=True)):
        row, column = divmod(number, columns)
        left, below = column * pitch_px + 2, height_px - head_px - row * row_px - side_px
        # Enlarged, pixels are repeated; made smaller, averaged.
        image = Image.fromarray(picture).resize((side_px, side_px), Image.Resampling.BOX)
        figure.figimage(np.asarray(image), left, below, origin="upper")
        text: dict[str, Any] = {"va": "top", "fontsize": 7.5, "color": INK, "parse_math": False}
        figure.text(left / WIDTH_PX, (below - 3) / height_px, "\n".join(lines), **text)
    return png(figure)


def displayable(
    pictures: NDArray[np.generic], colours: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Return (N, S, S, 3) uint8 of (N, S, S, C), uint8 or float32 in [0, 1].

    One or two bands are shown as grey (the first); of more than three `colours`, else the first
    three, stretched.
    """
    bands = pictures.shape[-1]
    shown = pictures[..., list(colours or range(_RGB))] if bands >= _RGB else pictures[..., [0] * 3]
    if bands <= _RGB and shown.dtype == np.uint8:
        return shown.astype(np.uint8)
    values = np.nan_to_num(shown.astype(np.float64))
    if bands > _RGB:
        # Over all pictures at once, so that what is darker in one than in the next stays so.
        low, high = np.percentile(values, [2, 98], axis=(0, 1, 2))
        values = (values - low) / np.maximum(high - low, 1e-9)
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def _wrap(caption: str, width_px: int) -> list[str]:
    wrapper = textwrap.TextWrapper(max(4, int(width_px / 5.7)), max_lines=2, placeholder="…")
    wrapper.wordsep_re = _BREAKS
    return [part for line in caption.splitlines() for part in wrapper.wrap(line)]


def _shorten(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"
