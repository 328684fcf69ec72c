"""A small task that keeps every promise, without albumentations so that it is quick, and others
that break one each; `BREAKS` says which."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image
from pydantic import Field, field_serializer

from transfer import Judge, Manifest, Pixels, Recipe, Row, Task, TaskSettings, read_layout
from transfer.plugin.task import read_row
from transfer.samples.new_folder import new_folder
from transfer.samples.predictions import Predictions

LIGHT = {"dark": 60, "light": 180}


class Settings(TaskSettings):
    """What can be set."""

    flip: float = Field(default=0.5, ge=0, le=1)
    """Share of views that are mirrored."""


def read_manifest(data: Path, settings: TaskSettings) -> Manifest:
    manifest = read_layout(data)
    rows = manifest.rows
    return manifest.with_columns(
        group=[image.rpartition("_")[0] for image in rows["image"]],
        number=range(len(rows)),
    )


def write_samples(folder: Path, count: int, seed: int) -> None:
    with new_folder(folder) as place:
        _write(place, count, np.random.default_rng(seed))


def _write(place: Path, count: int, rng: np.random.Generator) -> None:
    for number in range(count):
        label = sorted(LIGHT)[number // 2 % 2]
        (place / label).mkdir(exist_ok=True)
        pixels = rng.integers(-20, 20, (8, 8, 3)) + LIGHT[label]
        name = f"{number // 4}_{number}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(place / label / name)


class Views:
    """Pictures mirrored left to right and upside down, each with a chance of its own."""

    def __init__(self, settings: Any) -> None:
        self.flip = settings.flip
        self.rng = np.random.default_rng()

    def set_random_state(self, random_generator: np.random.Generator, py_random: Any) -> None:
        self.rng = random_generator

    def coins(self) -> tuple[float, float]:
        one, other = self.rng.random(2)
        return one, other

    def __call__(self, *, image: Pixels, row: Row) -> Mapping[str, Any]:
        one, other = self.coins()
        image = image[:, ::-1] if one < self.flip else image
        image = image[::-1] if other < self.flip else image
        return {"image": self.changed(np.ascontiguousarray(image), row)}

    def changed(self, image: Pixels, row: Row) -> Pixels:
        return image


def augment(size: int, settings: Any) -> Views:
    return Views(settings)


def label_holds(row: Row, picture: Pixels, view: Pixels) -> bool:
    middle = 120 if view.dtype == np.uint8 else 120 / 255
    return bool((view.mean() > middle) == (row.label == "light"))


Scores = dict[str, np.ndarray[Any, np.dtype[np.float64]]]


def dark_found(predictions: Predictions, weights: np.ndarray[Any, np.dtype[np.float64]]) -> Scores:
    dark = predictions.targets == 0
    right = dark & (predictions.probabilities[:, 0] > 0.5)
    of_dark = weights @ dark
    found = np.full(len(weights), np.nan)
    np.divide(weights @ right, of_dark, out=found, where=of_dark > 0)
    return {"dark_found": found}


def judge(settings: Any) -> Judge:
    return Judge(scores=dark_found, shown=("dark_found",))


HEALTHY = Task(
    name="stranger",
    summary="dark and light things",
    settings=Settings(),
    read_manifest=read_manifest,
    augment=augment,
    recipe=Recipe(size=16),
    judge=judge,
    write_samples=write_samples,
    label_holds=label_holds,
    sources=("drawn by the task itself",),
)

# --- what breaks a promise each ---------------------------------------------------------------


class Unexplained(Settings):
    reach: float = Field(default=1, ge=0)


class Boundless(Settings):
    reach: float = 1
    """How far."""


class Forgetful(Settings):
    reach: float = Field(default=1, ge=0)
    """How far."""

    @field_serializer("reach")
    def _halved(self, reach: float) -> float:
        return reach / 2


_times_read = 0


def read_other_groups(data: Path, settings: Any) -> Manifest:
    global _times_read  # noqa: PLW0603  # another answer each time is the point
    _times_read += 1
    manifest = read_manifest(data, settings)
    return manifest.with_columns(group=[f"{n // (1 + _times_read)}" for n in range(len(manifest))])


def read_empty_class(data: Path, settings: Any) -> Manifest:
    manifest = read_manifest(data, settings)
    return replace(manifest, classes=(*manifest.classes, "twilight"))


def read_one_group(data: Path, settings: Any) -> Manifest:
    return read_manifest(data, settings).with_columns(group="all")


def read_unscaled(row: Row, settings: Any) -> Pixels:
    return read_row(row, settings).astype(np.float32)


def read_noisy(row: Row, settings: Any) -> Pixels:
    pixels = read_row(row, settings)
    return pixels + np.random.default_rng().integers(0, 9, pixels.shape, np.uint8)


def read_by_label(row: Row, settings: Any) -> Pixels:
    pixels = read_row(row, settings)
    return pixels if row.label == "dark" else pixels + np.uint8(1)


def read_by_column(row: Row, settings: Any) -> Pixels:
    return read_row(row, settings) + np.uint8(row.columns.get("number", 0) % 7)


def read_with_figures(row: Row, settings: Any) -> Pixels:
    import heavy_stand_in  # noqa: F401, PLC0415  # seconds in every loader

    return read_row(row, settings)


def measure_colour(row: Row, pixels: Pixels) -> Mapping[str, float]:
    return {"colour": float("nan")}


def write_anything(folder: Path, count: int, seed: int) -> None:
    with new_folder(folder) as place:
        _write(place, count, np.random.default_rng())


def write_over(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(exist_ok=True)
    _write(folder, count, np.random.default_rng(seed))


def write_one_more(folder: Path, count: int, seed: int) -> None:
    write_samples(folder, count + 1, seed)


class Normalizing(Views):
    def changed(self, image: Pixels, row: Row) -> Pixels:
        return (image - np.float32(0.5)).astype(np.float32)


class Chatty(Views):
    def changed(self, image: Pixels, row: Row) -> Pixels:
        warnings.warn("argument 'flop' is not valid", UserWarning, stacklevel=2)
        return image


class Unseeded(Views):
    def coins(self) -> tuple[float, float]:
        one, other = np.random.default_rng().random(2)
        return one, other


class Darkening(Views):
    def __call__(self, *, image: Pixels, row: Row) -> Mapping[str, Any]:
        image //= 2
        return {"image": image.copy()}


class Together(Views):
    def coins(self) -> tuple[float, float]:
        coin = self.rng.random()
        return coin, coin


class Peeping(Views):
    def changed(self, image: Pixels, row: Row) -> Pixels:
        return image if row.columns["number"] >= 0 else image[::-1]


class Erasing(Views):
    def changed(self, image: Pixels, row: Row) -> Pixels:
        return np.full_like(image, image.max() // 2 if image.dtype == np.uint8 else 0.4)


class Local(Views):
    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.chosen = lambda image: image


def unweighted(predictions: Predictions, weights: np.ndarray[Any, Any]) -> Scores:
    ones = np.ones_like(weights)
    return dark_found(predictions, ones)


def infinite(predictions: Predictions, weights: np.ndarray[Any, Any]) -> Scores:
    light = weights @ (predictions.targets == 1)
    with np.errstate(divide="ignore"):
        return {"dark_to_light": (weights @ (predictions.targets == 0)) / light}


def _judged(**changes: Any) -> Callable[[Any], Judge]:
    return lambda settings: replace(judge(settings), **changes)


def draw_nothing(predictions: Predictions) -> dict[str, Any]:
    return {"roc": "a text"}


BREAKS = SimpleNamespace(
    loads=replace(HEALTHY, contract=2),
    one_name=replace(HEALTHY, name="Stranger"),
    says_what_for=replace(HEALTHY, summary="dark things\nand light things"),
    names_sources=replace(HEALTHY, sources=()),
    settings_have_meanings=replace(HEALTHY, settings=Unexplained()),
    settings_have_bounds=replace(HEALTHY, settings=Boundless()),
    settings_travel=replace(HEALTHY, settings=Forgetful()),
    reads_twice_alike=replace(HEALTHY, read_manifest=read_other_groups),
    classes_cover_labels=replace(HEALTHY, read_manifest=read_empty_class),
    groups_can_be_split=replace(HEALTHY, read_manifest=read_one_group),
    pixels_are_valid=replace(HEALTHY, read_image=read_unscaled),
    pixels_repeat=replace(HEALTHY, read_image=read_noisy),
    pixels_know_no_label=replace(HEALTHY, read_image=read_by_label),
    reading_loads_little=replace(HEALTHY, read_image=read_with_figures),
    measures_numbers=replace(HEALTHY, measure=measure_colour),
    samples_repeat=replace(HEALTHY, write_samples=write_anything),
    samples_are_small=replace(HEALTHY, write_samples=write_one_more),
    samples_spare_files=replace(HEALTHY, write_samples=write_over),
    views_keep_their_form=replace(HEALTHY, augment=lambda size, s: Normalizing(s)),
    views_are_silent=replace(HEALTHY, augment=lambda size, s: Chatty(s)),
    views_are_seeded=replace(HEALTHY, augment=lambda size, s: Unseeded(s)),
    views_spare_the_picture=replace(HEALTHY, augment=lambda size, s: Darkening(s)),
    flips_are_independent=replace(HEALTHY, augment=lambda size, s: Together(s)),
    views_know_no_row=replace(HEALTHY, augment=lambda size, s: Peeping(s)),
    labels_survive=replace(HEALTHY, augment=lambda size, s: Erasing(s)),
    all_of_it_pickles=replace(HEALTHY, augment=lambda size, s: Local(s)),
    scores_of_one_class=replace(HEALTHY, judge=_judged(scores=infinite, shown=())),
    weights_are_rows=replace(HEALTHY, judge=_judged(scores=unweighted)),
    headline_is_scored=replace(HEALTHY, headline="dark_fuond"),
    figures_are_drawn=replace(HEALTHY, judge=_judged(figures=draw_nothing)),
)
"""The promise that is broken, and a task that breaks it; those of a module or of a package as a
whole are broken in the test."""
COLUMN_UNDECLARED = replace(HEALTHY, read_image=read_by_column)
