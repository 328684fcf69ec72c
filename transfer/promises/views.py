"""What an augmentation promises: views that keep their form, their label and their chance."""

import random
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transfer.images.framing import Framing, frame
from transfer.images.pictures import Pixels
from transfer.pixels.views import TrainingViews, fixed_view
from transfer.promises.fresh import LOADER
from transfer.promises.promise import KEPT, Finding, Promise, broken, kept_unless, moot
from transfer.promises.subject import SIZE_PX, Subject, View
from transfer.samples.inspection import pixels_digest
from transfer.samples.manifest import Row

_DRAWS = 200
_TOGETHER = 0.5
"""Correlation of two coins; of independent ones that of 200 throws is within 0.07 mostly."""
_SELDOM = 0.1
_ROUNDING = 1e-6
_WAYS = ("left to right", "upside down", "across the diagonal")


def views_keep_their_form(subject: Subject) -> Finding:
    """Views of uint8 and of float32 pictures are drawn, and their shape, dtype and range seen."""
    views, _ = subject.views
    return next(filter(None, map(_out_of_form, views)), KEPT)


def views_are_silent(subject: Subject) -> Finding:
    """Warnings are collected while the pipeline is built and drawn from."""
    _, warned = subject.views
    return kept_unless(f"it warned: {warned[0]}" if warned else "")


def views_are_seeded(subject: Subject) -> Finding:
    """A view is drawn twice from one random state, with other draws and other seeds between."""
    row, views = subject.rows[0], subject.training_views
    picture = subject.plain(row)
    first = [views(picture.copy(), row, epoch, 0) for epoch in range(8)]
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  # a view that draws from it is what is looked for
    again = [views(picture.copy(), row, epoch, 0) for epoch in reversed(range(8))]
    same = all(map(np.array_equal, first, reversed(again)))
    return kept_unless("" if same else "the same random state gave two different views")


def views_spare_the_picture(subject: Subject) -> Finding:
    """Views are drawn from pictures, which are compared with what they were before."""
    for number, row in enumerate(subject.rows):
        picture = subject.plain(row).copy()
        before = picture.copy()
        for epoch in range(4):
            subject.training_views(picture, row, epoch, number)
        if not np.array_equal(picture, before):
            return broken(f"{row.path.name!r} is another picture once views of it were drawn")
    return KEPT


def flips_are_independent(subject: Subject) -> Finding:
    """Views of a slope show how each is mirrored and turned; no two ways may go together."""
    bands = subject.plain(subject.rows[0]).shape[2]
    picture = _slope(bands)
    rows = subject.rows
    turns = np.array([
        _turned(subject.training_views(picture.copy(), rows[draw % len(rows)], draw, 0))
        for draw in range(_DRAWS)
    ])  # fmt: skip
    shares = turns.mean(axis=0)
    random_ways = [way for way in range(3) if _SELDOM < shares[way] < 1 - _SELDOM]
    if len(random_ways) < 2:  # noqa: PLR2004  # it takes two
        return moot("views are mirrored or turned in one way at most")
    for one, other in combinations(random_ways, 2):
        together = np.corrcoef(turns[:, one], turns[:, other])[0, 1]
        if abs(together) > _TOGETHER:
            how = "always" if together > 0 else "never"
            return broken(f"mirrored {_WAYS[one]} and {_WAYS[other]} go together {how}")
    return KEPT


def views_know_no_row(subject: Subject) -> Finding:
    """Test-time views are drawn, which are told nothing of the row."""
    augmentation = subject.task.augment(SIZE_PX, subject.recipe.task)
    picture = subject.plain(subject.rows[0])
    for number in (1, 2):
        view = fixed_view(augmentation, picture.copy(), number)
        if said := _out_of_form(View(Row(Path()), picture, view)):
            return said
    return KEPT


def labels_survive(subject: Subject) -> Finding:
    """Every view is shown to `Task.label_holds`, and the plain picture as well."""
    holds = subject.task.label_holds
    if holds is None:
        return moot("the task does not say how it would be seen (Task.label_holds)")
    views, _ = subject.views
    for view in views:
        if not holds(view.row, view.picture, view.picture):
            return broken(f"label_holds refuses the plain {view.row.path.name!r} itself")
    lost = [view for view in views if not holds(view.row, view.picture, view.pixels)]
    if not lost:
        return KEPT
    row = lost[0].row
    return broken(f"{len(lost)} of {len(views)} views; {row.label!r} of {row.path.name!r} first")


def all_of_it_pickles(subject: Subject) -> Finding:
    """Reader, rows and views are sent to a spawned process, which has to see the same."""
    read = subject.task.reader(subject.recipe.task, subject.recipe.bands)
    # As a run sends them: built, and not drawn from yet.
    views = TrainingViews(subject.task.augment(SIZE_PX, subject.recipe.task), seed=0)
    asked = (read, subject.rows[0], views, subject.recipe.framing)
    there = LOADER.ask(see, *asked)
    return kept_unless("" if see(*asked) == there else "another process sees other pixels")


def see(
    read: Callable[[Row], Pixels], row: Row, views: TrainingViews, framing: Framing
) -> tuple[str, str]:
    """Return digests of a picture and of a view of it."""
    picture = frame(read(row), SIZE_PX, framing)
    return pixels_digest(picture), pixels_digest(views(picture.copy(), row, 0, 0))


def _out_of_form(view: View) -> Finding | None:
    picture, pixels = view.picture, view.pixels
    for what in ("shape", "dtype"):
        was, became = getattr(picture, what), getattr(pixels, what)
        if was != became:
            return broken(f"a picture of {what} {was} became a view of {what} {became}")
    if pixels.dtype == np.uint8:
        return None
    low, high = float(pixels.min()), float(pixels.max())
    inside = -_ROUNDING <= low <= high <= 1 + _ROUNDING
    return (
        None if inside else broken(f"a view of a picture in [0, 1] goes from {low:g} to {high:g}")
    )


def _slope(bands: int) -> Pixels:
    """Return a picture that rises to the right, and half as steeply downwards."""
    along = np.linspace(-1, 1, SIZE_PX)
    plane = 120 + 60 * along[None, :] + 30 * along[:, None]
    picture: NDArray[np.uint8] = np.repeat(np.rint(plane)[..., None], bands, 2).astype(np.uint8)
    return picture


def _turned(view: Pixels) -> tuple[bool, bool, bool]:
    """Say of a view of the slope which of `_WAYS` it is mirrored."""
    half = SIZE_PX // 2
    plane = view.astype(np.float64).mean(axis=2)
    right = plane[:, half:].mean() - plane[:, :half].mean()
    down = plane[half:].mean() - plane[:half].mean()
    across = abs(down) > abs(right)
    steep, gentle = (down, right) if across else (right, down)
    return bool(steep < 0), bool(gentle < 0), bool(across)


PROMISES = (
    Promise(
        "views-keep-their-form",
        "A view has the shape, dtype and range of its picture, whether uint8 or float32.",
        "Return (size, size, C), leave out Normalize and ToTensor, and take transforms that accept "
        "both depths and any number of bands.",
        views_keep_their_form,
        ("pixels-are-valid",),
    ),
    Promise(
        "views-are-silent",
        "Building and drawing views gives no warning.",
        "A misspelt or removed argument of albumentations is only a warning, and does nothing: "
        "look it up in the version that is installed.",
        views_are_silent,
        ("views-keep-their-form",),
    ),
    Promise(
        "views-are-seeded",
        "A view depends on its random state alone, so that runs can be repeated and resumed.",
        "Draw from the generators given to set_random_state; in a transform of albumentations "
        "from self.random_generator or self.py_random.",
        views_are_seeded,
        ("views-keep-their-form",),
    ),
    Promise(
        "views-spare-the-picture",
        "Drawing a view leaves the picture as it was: it is kept, and drawn from again.",
        "Write to a copy; transforms of your own return a new array.",
        views_spare_the_picture,
        ("views-keep-their-form",),
    ),
    Promise(
        "flips-are-independent",
        "Two random flips are two coins: one says nothing about the other.",
        "Let all transforms draw from one stream: hand set_random_state on to one A.Compose, and "
        "seed none of its parts. Where half turns are all that is meant, draw them as A.D4 would.",
        flips_are_independent,
        ("views-are-seeded",),
    ),
    Promise(
        "views-know-no-row",
        "Test-time views are drawn without knowing the row, whose label would give itself away.",
        "Let a transform that asks for the target row do nothing special where row.label is empty "
        "and columns are missing.",
        views_know_no_row,
        ("views-keep-their-form",),
    ),
    Promise(
        "labels-survive",
        "No view takes the label away, as far as the task can say.",
        "Weaken the views in augment or in the defaults of the settings until what the label "
        "speaks of is still there.",
        labels_survive,
        ("views-keep-their-form",),
    ),
    Promise(
        "all-of-it-pickles",
        "Reader, rows and views travel to spawned processes, and see the same there.",
        "Define functions and classes at the top of a module, keep lambdas, open files and locks "
        "out of them, and read what they need from settings.",
        all_of_it_pickles,
        ("pixels-repeat", "views-are-seeded"),
    ),
)
