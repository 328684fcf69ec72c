"""What a run draws can be read, is small, and is the same for the same values."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from transfer import figures

LIMIT = 120_000


def draw_curves(epochs: int = 10) -> bytes:
    number = np.arange(epochs + 1)
    table = pd.DataFrame(
        {
            "epoch": number,
            "loss": np.where(number > 0, 0.4 + np.exp(-number / 3), np.nan),
            "lr": np.where(number > 0, 1e-3 / (1 + number), np.nan),
            "balanced_accuracy": 0.95 - 0.1 * np.exp(-number / 2),
        }
    )
    return figures.learning_curves(table, "balanced_accuracy", epochs)


def draw_data_curve() -> bytes:
    value = pd.Series([0.71, 0.84, 0.9])
    low = (value - 0.05).where(value > 0.8)  # of few rows there is no interval
    table = pd.DataFrame({"rows": [40, 120, 400], "value": value, "low": low, "high": value + 0.04})
    return figures.data_curve(table, "balanced_accuracy")


def draw_matrix(classes: int = 10, names: tuple[str, ...] | None = None) -> bytes:
    random = np.random.default_rng(0)
    counts = random.poisson(0.3, (classes, classes)) + np.diag(random.integers(5, 400, classes))
    counts[0] = 0  # a class of which the split holds no row
    return figures.confusion_matrix(counts, names or tuple(f"class {i}" for i in range(classes)))


def draw_diagram() -> bytes:
    edges = np.linspace(0, 1, 16)
    rows = np.array([0] * 8 + [2, 5, 9, 40, 80, 300, 1200])
    confidence = np.where(rows > 0, (edges[:-1] + edges[1:]) / 2, np.nan)
    bins = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "rows": rows})
    table = bins.assign(confidence=confidence, accuracy=confidence**2)
    return figures.reliability_diagram(table, 0.031)


def draw_precisions(labels: int = 12) -> bytes:
    ap = np.linspace(0.1, 1, labels)
    ap[0] = np.nan  # a label of which the split holds no row
    table = {"class": [f"label {i}" for i in range(labels)], "rows": np.arange(labels), "ap": ap}
    return figures.average_precisions(
        pd.DataFrame(table).assign(ap_low=ap * 0.9, ap_high=ap * 1.05)
    )


def draw_grid(count: int = 8) -> bytes:
    return figures.picture_grid(scenes(count), [f"scene {i}" for i in range(count)], "Scenes")


def scenes(count: int) -> list[NDArray[np.uint8]]:
    """Coarse fields of colour with fine noise, as pictures of the world have."""
    random = np.random.default_rng(0)
    fields = random.integers(0, 220, (count, 4, 4, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return list((fields + random.integers(0, 30, (count, 64, 64, 3))).astype(np.uint8))


DRAWINGS: list[Callable[[], bytes]] = [
    draw_curves,
    draw_data_curve,
    draw_matrix,
    draw_diagram,
    draw_precisions,
    draw_grid,
]


def pixels(content: bytes) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return np.asarray(image.convert("RGB"))


def boxes_of_pictures(content: bytes, side: int, columns: int, count: int) -> NDArray[np.uint8]:
    """Find the pictures of a grid without captions by where they begin: below the title."""
    whole = pixels(content)
    pitch = 800 // columns
    return np.stack([whole[36 : 36 + side, i * pitch + 2 :][:, :side] for i in range(count)])


@pytest.mark.parametrize("draw", DRAWINGS)
def test_a_picture_is_a_png_that_fits_a_screen_and_a_store(draw: Callable[[], bytes]) -> None:
    content = draw()
    height, width, _ = pixels(content).shape
    assert len(content) <= LIMIT
    assert 700 <= width <= 1300
    assert 150 <= height <= 1300
    assert (pixels(content)[-1] == 255).all(), "the lower edge cuts something off"
    assert (pixels(content)[:, -1] == 255).all(), "the right edge cuts something off"


@pytest.mark.parametrize("draw", DRAWINGS)
def test_equal_values_give_equal_bytes_and_leave_no_figure_open(
    draw: Callable[[], bytes],
) -> None:
    assert draw() == draw()
    assert plt.get_fignums() == []


def test_a_grid_of_many_pictures_is_small_all_the_same() -> None:
    content = draw_grid(32)
    assert len(content) <= LIMIT
    # Fewer colours, and still the right ones: beside the plain drawing none is far off.
    shown, scene = boxes_of_pictures(content, 96, 8, 1)[0], scenes(32)[0]
    whole = scene[np.arange(96) * 2 // 3][:, np.arange(96) * 2 // 3].astype(int)
    assert np.abs(shown - whole).mean() < 12


def test_threads_do_not_meet() -> None:
    draw_small = [lambda: draw_curves(0), draw_diagram, lambda: draw_matrix(2)]
    alone = [draw() for draw in draw_small]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda draw: draw(), draw_small))
    assert together == alone


def test_a_picture_carries_no_metadata() -> None:
    assert Image.open(io.BytesIO(draw_diagram())).info == {}


@pytest.mark.parametrize("draw", DRAWINGS)
def test_the_settings_of_a_dark_notebook_change_nothing(draw: Callable[[], bytes]) -> None:
    light = draw()
    with plt.style.context("dark_background"):
        assert draw() == light


@pytest.mark.parametrize("classes", [1, 2, 20, 60])
def test_a_matrix_of_any_number_of_classes_is_small_and_whole(classes: int) -> None:
    content = draw_matrix(classes)
    assert len(content) <= LIMIT
    assert (pixels(content)[[0, -1]] == 255).all()
    assert (pixels(content)[:, [0, -1]] == 255).all()


def test_a_class_name_is_text_and_never_a_formula() -> None:
    assert draw_matrix(2, ("price $5_$", r"\alpha $$ {")) != draw_matrix(2, ("a", "b"))
    assert figures.picture_grid(scenes(1), ["$x_$ {"], "title $_$")


def test_a_long_class_name_cannot_push_the_matrix_off_the_page() -> None:
    assert pixels(draw_matrix(2, ("x" * 500, "y"))).shape[1] < 900


@pytest.mark.parametrize("epochs", [0, 1, 100])
def test_curves_are_drawn_for_a_probe_alone_and_for_any_number_of_epochs(epochs: int) -> None:
    assert len(draw_curves(epochs)) <= LIMIT


def test_a_probe_alone_has_no_empty_panels() -> None:
    assert len(pixels(draw_curves(0))) < 0.6 * len(pixels(draw_curves(1)))


def test_small_pictures_are_enlarged_without_a_new_colour() -> None:
    black_and_red = np.zeros((12, 12, 3), np.uint8)
    black_and_red[::2, ::2] = (255, 0, 0)
    content = figures.picture_grid([black_and_red], [""], "Dots")
    (shown,) = boxes_of_pictures(content, 96, 8, 1)
    assert (shown == black_and_red.repeat(8, axis=0).repeat(8, axis=1)).all()


def test_large_pictures_become_the_mean_of_their_pixels() -> None:
    picture = np.random.default_rng(0).random((192, 192, 3)).astype(np.float32)
    (shown,) = boxes_of_pictures(figures.picture_grid([picture], [""], "Noise"), 96, 8, 1)
    means = (picture * 255).reshape(96, 2, 96, 2, 3).mean(axis=(1, 3))
    assert np.abs(shown - means).max() <= 1.5  # rounded three times: to bytes, across, down


@pytest.mark.parametrize("bands", [1, 2])
def test_one_or_two_bands_are_grey(bands: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 96, bands), dtype=np.uint8)
    (shown,) = boxes_of_pictures(figures.picture_grid([picture], [""], "Grey"), 96, 8, 1)
    assert (shown == picture[..., :1]).all()


def test_of_many_bands_the_first_three_are_stretched_together_over_all_pictures() -> None:
    dark = np.full((96, 96, 5), 0.02, np.float32)
    bright = np.full((96, 96, 5), 0.30, np.float32)
    bright[..., 3:] = 1.0  # a band that is not shown must not enter
    content = figures.picture_grid([dark, bright], ["", ""], "Reflectance")
    shown = boxes_of_pictures(content, 96, 8, 2)
    assert (shown[0] == 0).all()
    assert (shown[1] == 255).all()


def test_red_green_and_blue_are_where_the_bands_say() -> None:
    grey = np.arange(5, dtype=np.float32).repeat(2 * 4 * 4).reshape(5, 2, 4, 4) / 5
    pictures = np.moveaxis(grey, 0, -1) + np.linspace(0, 0.1, 4, dtype=np.float32)[:, None]
    shown = figures.displayable(pictures, (3, 1, 0))
    assert np.array_equal(shown, figures.displayable(pictures[..., [3, 1, 0, 2, 4]]))
    assert np.array_equal(
        figures.displayable(pictures, None), figures.displayable(pictures, (0, 1, 2))
    )


def test_pixels_that_are_no_number_are_black() -> None:
    picture = np.full((96, 96, 3), np.nan, np.float32)
    (shown,) = boxes_of_pictures(figures.picture_grid([picture], [""], "Nothing"), 96, 8, 1)
    assert (shown == 0).all()


def test_a_grid_without_pictures_is_its_title() -> None:
    assert pixels(figures.picture_grid([], [], "No mistakes")).shape[1] == 800


def test_a_picture_without_caption_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        figures.picture_grid(scenes(2), ["one"], "Two")


def test_of_many_labels_the_worst_are_drawn() -> None:
    assert len(pixels(draw_precisions(40))) == len(pixels(draw_precisions(90)))
