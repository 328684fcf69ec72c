"""The surest mistakes of a run: where it looked, and what it had learned that looks alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.cache.block import as_names
from transfer.cache.row_store import RowStore
from transfer.comparing.thumbnails import SIDE_PX, picture_address
from transfer.figures import displayable
from transfer.finetuning.devices import choose_compute
from transfer.finetuning.features import FeatureCache
from transfer.images.colours import colour_places
from transfer.images.framing import frame
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures, memory_for_pixels
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.reporting.attention import attention, overlaid
from transfer.samples.manifest import Manifest
from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind, decode_targets
from transfer.scoring.metrics import guesses, mistakes
from transfer.shipping.predictor import Predictor

MOST = 12
"""Mistakes that are shown."""

_NEAREST = 3
_MOST_TRAIN = 5000  # rows to look for neighbours among; more would have the network see them all


@dataclass(frozen=True)
class Neighbour:
    """A training row that the network takes for much the same: label, likeness, picture."""

    label: str
    cosine: float
    picture: str


@dataclass(frozen=True)
class Exhibit:
    """One row that is said wrong.

    Attributes:
        key: of the row.
        label, guess: what is true of it, and what was said.
        off: how far the probability was from the truth, in [0, 1].
        picture, seen: `data:` addresses of it as the network sees it, and of where it looked; ""
            for the second where the backbone gives no maps.
        neighbours: the nearest first.
    """

    key: str
    label: str
    guess: str
    off: float
    picture: str
    seen: str
    neighbours: tuple[Neighbour, ...]


def exhibits_of(
    said: Predictions, manifest: Manifest, predictor: Predictor, task: Task, progress: Progress
) -> list[Exhibit]:
    """Return the surest mistakes of `said` whose rows `manifest` still has.

    Raises:
        ImageError: a training row can no longer be read.
    """
    number_of = {key: number for number, key in enumerate(manifest.rows["key"])}
    wrong, off = mistakes(said)
    chosen = [n for n, row in enumerate(wrong.tolist()) if str(said.keys[row]) in number_of][:MOST]
    if not chosen:
        return []
    rows, off = wrong[chosen], off[chosen]
    numbers = np.array([number_of[str(said.keys[row])] for row in rows])
    gallery = _Gallery(manifest, predictor, task, progress)
    pixels = gallery.pixels(numbers)
    seen = attention(predictor.network, pixels, _spoken(said, rows))
    near = gallery.nearest(numbers)
    # One scale for all: a stretch of its own would make a dark field look like a bright one.
    pictures = gallery.pictures([*numbers.tolist(), *(one for row in near for one, _ in row)])
    shown, of_train = pictures[: len(numbers)], iter(pictures[len(numbers) :])
    true, said_names = (
        decode_targets(said.kind, each[rows], said.classes)
        for each in (said.targets, guesses(said))
    )
    return [
        Exhibit(
            key=str(said.keys[row]),
            label=true[n] or "none",
            guess=said_names[n] or "none",
            off=float(off[n]),
            picture=picture_address(_small(shown[n])),
            seen="" if seen is None else picture_address(_small(overlaid(shown[n], seen[n]))),
            neighbours=tuple(
                Neighbour(
                    manifest.row(one).label or "none",
                    cosine,
                    picture_address(_small(next(of_train))),
                )
                for one, cosine in near[n]
            ),
        )
        for n, row in enumerate(rows)
    ]


class _Gallery:
    """The rows of a run, their pictures as its network sees them, and their features."""

    def __init__(
        self, manifest: Manifest, predictor: Predictor, task: Task, progress: Progress
    ) -> None:
        recipe = predictor.recipe
        self._manifest, self._network, self._progress = manifest, predictor.network, progress
        self._colours = colour_places(recipe.bands)
        self._compute = choose_compute(recipe.machine.model_copy(update={"device": "cpu"}))
        self._pictures = Pictures(
            manifest.all_rows(),
            task.reader(recipe.task, recipe.bands),
            size=recipe.size,
            framing=recipe.framing,
            memory_bytes=memory_for_pixels(recipe.machine.cache_gb),
        )
        self._features = FeatureCache(
            rows=self._pictures.rows,
            pixels=as_names(manifest.rows["pixels"]),
            view=f"{recipe.size} px {recipe.framing}",
            passes="",  # plain views alone
            store=RowStore("features", int(recipe.machine.features_gb * 1e9), progress.warn),
        )
        unknown = np.zeros(len(manifest), np.int64)
        self._batches = Batches(self._pictures, unknown, batch_size=recipe.batch_size)

    def pixels(self, numbers: NDArray[np.int64]) -> torch.Tensor:
        """Return the pictures of rows, (n, C, S, S)."""
        return torch.cat([batch.pixels for batch in self._batches.plain(numbers)])

    def pictures(self, numbers: Sequence[int]) -> NDArray[np.uint8]:
        """Return the pictures of rows as a person sees them, (n, S, S, 3), on one scale."""
        return displayable(np.stack([self._pictures[number] for number in numbers]), self._colours)

    def nearest(self, numbers: NDArray[np.int64]) -> list[list[tuple[int, float]]]:
        """Return the training rows whose features point the most alike, for each of `numbers`."""
        train = self._manifest.numbers("train")
        train = train[:: max(1, -(-len(train) // _MOST_TRAIN))]
        with self._progress.step("looking alike", len(train), "images") as step:
            known, asked = (self._directions(each) for each in (train, numbers))
            step.advance(len(train))
        order = (asked @ known.T).topk(min(_NEAREST, len(train)), dim=1)
        return [
            [(int(train[place]), cosine) for place, cosine in zip(places, cosines, strict=True)]
            for places, cosines in zip(order.indices.tolist(), order.values.tolist(), strict=True)
        ]

    @torch.inference_mode()
    def _directions(self, numbers: NDArray[np.int64]) -> torch.Tensor:
        read = self._batches.plain
        found = self._features.scored(self._network, numbers, read, self._compute)
        return torch.nn.functional.normalize(found.float(), dim=1)


def _spoken(said: Predictions, rows: NDArray[np.int64]) -> list[int]:
    """Return the number of the logit that speaks for what is said of each row."""
    guessed = guesses(said)[rows]
    if guessed.ndim == 1:
        # Of K ordered classes there are K - 1 logits: that they lie above the one before them.
        shift = said.kind is TargetKind.ORDINAL
        return [max(0, int(one) - shift) for one in guessed]
    apart = np.abs(said.probabilities[rows] - said.targets[rows])
    return [int(one) for one in apart.argmax(axis=1)]


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of at most 112 px a side: the page has room for no more."""
    side = min(picture.shape[0], SIDE_PX)
    return np.asarray(frame(picture, side, "squash"), np.uint8)
