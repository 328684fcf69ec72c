"""A run that predicts on new files and arrays: the one inference path."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self, TypeVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from transfer.errors import ImageError
from transfer.images.framing import frame
from transfer.images.pictures import Pixels, read_picture, suffix_of
from transfer.network.backbone import Network
from transfer.network.objective import OBJECTIVES
from transfer.pixels.batches import Batch
from transfer.pixels.cache import stack
from transfer.pixels.views import fixed_view
from transfer.plugin.task import Augmentation, Task, read_row
from transfer.progress import Progress, Silent
from transfer.recipe import Recipe
from transfer.samples.manifest import Row
from transfer.samples.predictions import Said
from transfer.samples.target import TargetKind, decode_targets
from transfer.scoring.metrics import SCORECARDS
from transfer.scoring.predict import mean_over_views, predict_rows
from transfer.shipping.answers import Answers
from transfer.shipping.model_files import ModelCard, read_card
from transfer.shipping.restoring import read_network, recipe_and_task
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import DEFAULT_OUT, open_store

BATCH_SIZE = 64
Reader = Callable[[Row], Pixels]
_T = TypeVar("_T")


def load(
    run: str, *, store: Path | str = DEFAULT_OUT, tracking_uri: str | None = None
) -> "Predictor":
    """Return the predictor of an earlier run.

    Args:
        run: its name, its id or the start of it, or "last".
        store: folder of the run store.
        tracking_uri: of the tracking server, where the store is not in that folder.

    Raises:
        RunNotFoundError: no such run, or it kept no model.
        StoreError: the store or the model cannot be read.
    """
    opened = open_store(Path(store), tracking_uri)
    return Predictor.from_folder(model_folder(opened, find_run(opened, run)))


class Predictor:
    """A fine-tuned network with everything around it that a prediction needs.

    Attributes:
        network: pixels (B, C, S, S) in, logits out; in eval mode, fp32.
        classes: the K class names, in the order of the outputs.
        recipe: as the run was made.
        task: name of the task.
        target: kind of target.
        thresholds: from which probability on a label is said; None unless there may be several.
        decisions: of the task; None where it makes none.
        side_px: shorter side of the pictures of the run before framing, the median; None where
            nobody noted it.
    """

    def __init__(
        self, network: Network, card: ModelCard, recipe: Recipe, task: Task | None
    ) -> None:
        """Put together what predicts.

        Args:
            network: with the weights of the run.
            card: of the model.
            recipe: of the run.
            task: of the run; None where it is not installed and reads pictures as everyone does.
        """
        self.network, self.classes, self.recipe = network.eval(), card.classes, recipe
        self.task, self.target = card.task, TargetKind(card.target)
        self.thresholds, self.decisions = card.thresholds, card.decisions
        self.side_px = card.side_px
        self._own_reader = card.own_reader
        self._probabilities = OBJECTIVES[self.target].probabilities
        self._read: Reader = partial(read_row, settings=recipe.task)
        self._augment: Callable[[], Augmentation] | None = None
        if task is not None:
            self._read = task.reader(recipe.task, recipe.bands)
            if recipe.test_views:
                self._augment = partial(task.augment, recipe.size, recipe.task)

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name all that an embedding depends on: weights, and the way in.

        Embeddings of networks with other digests cannot be compared.
        """
        recipe = self.recipe
        about = (self.task, self.network.name, self.network.stages, self.network.normalization)
        views = (recipe.size, recipe.framing, recipe.bands, recipe.test_views, repr(recipe.task))
        digest = hashlib.blake2b(repr((*about, *views)).encode(), digest_size=8)
        for name, tensor in sorted(self.network.backbone.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Return the predictor whose files stand in `folder`.

        Raises:
            StoreError: the folder holds no model, or a damaged one.
            BrokenPromiseError: its task is not installed, and reads pictures in its own way or
                draws views that are averaged.
        """
        card = read_card(folder)
        recipe, task = recipe_and_task(card)
        return cls(read_network(folder, card), card, recipe, task)

    def predict(
        self, paths: Sequence[Path | str | Row], progress: Progress | None = None
    ) -> pd.DataFrame:
        """Return one row for each file, whatever is wrong with it.

        Args:
            paths: files, or rows of a manifest.
            progress: told how far it is; unset is silent.

        Columns: image, prediction, probability, then `p_CLASS` for each class (float32), and error:
        "" where the file could be read, else why not, with the others empty. The prediction is a
        class, a grade, or the labels over their thresholds joined by "|", "" if none is; the
        probability is its own, and of several labels the highest.
        """
        return self._table(self.answer(paths, progress))

    def answer(
        self,
        paths: Sequence[Path | str | Row],
        progress: Progress | None = None,
        *,
        embeddings: bool = False,
    ) -> Answers:
        """Return what the network says of files, or rows of a manifest; see `predict`.

        With `embeddings` they are there whatever the kind of target.
        """
        rows = [path if isinstance(path, Row) else Row(Path(path)) for path in paths]
        sources = [(str(row.path), row) for row in rows]
        return self._answer(sources, self._read, progress or Silent(), embeddings=embeddings)

    def predict_bytes(self, pictures: Sequence[bytes]) -> pd.DataFrame:
        """Return the table of `predict` for the bytes of files, read as the task reads files."""
        sources = [(f"image {number}", content) for number, content in enumerate(pictures)]
        read = self._read_as_file if self._own_reader else read_picture
        return self._table(self._answer(sources, read, Silent()))

    def predict_arrays(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return probabilities (N, K) of pictures (H, W, C), uint8 or float32 in [0, 1].

        Their bands are those of the recipe, in that order and scaled as its reader does.

        Raises:
            ImageError: one has another number of bands than the network takes.
        """
        parts = [said.probabilities for said in self._say(self._all_checked(pictures))]
        return np.concatenate([np.empty((0, len(self.classes)), np.float32), *parts])

    def embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Return pooled features (N, D) of pictures (H, W, C), uint8 or float32 in [0, 1].

        Where the recipe has test-time views they are the mean over them.

        Raises:
            ImageError: one has another number of bands than the network takes.
        """
        said = self._say(self._all_checked(pictures), embeddings=True)
        found = (part.embeddings for part in said)
        parts = [part for part in found if part is not None]
        return np.concatenate([np.empty((0, self.network.head.in_features), np.float32), *parts])

    def _all_checked(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        return [self._checked(pixels, f"picture {n} ") for n, pixels in enumerate(pictures)]

    def _checked(self, pixels: Pixels, name: str = "") -> Pixels:
        """Return a picture whose bands are as many as the network takes."""
        bands, count = self.recipe.bands, len(self.network.normalization.mean)
        if pixels.shape[2] != count:
            raise ImageError(
                f"{name}has {pixels.shape[2]} bands; the run takes {count}: "
                f"{', '.join(bands or ('red', 'green', 'blue'))}"
            )
        return pixels

    def _read_as_file(self, content: bytes) -> Pixels:
        """Return the picture in the bytes of a file; the reader of a task knows files alone."""
        with TemporaryDirectory() as folder:
            path = Path(folder, f"picture{suffix_of(content)}")
            path.write_bytes(content)
            return self._read(Row(path))

    def _say(self, pictures: Sequence[Pixels], *, embeddings: bool = False) -> Iterator[Said]:
        """Yield what the network says of each BATCH_SIZE pictures, the mean over their views."""
        for start in range(0, len(pictures), BATCH_SIZE):
            framed = [
                frame(pixels, self.recipe.size, self.recipe.framing)
                for pixels in pictures[start : start + BATCH_SIZE]
            ]
            plain, *views = (
                predict_rows(
                    self.network, [_batch(seen, start)], self._probabilities, embeddings=embeddings
                )
                for seen in self._views(framed)
            )
            yield mean_over_views(plain, views)

    def _views(self, framed: list[Pixels]) -> Iterator[list[Pixels]]:
        """Yield the pictures plain, then as each of their test-time views."""
        yield framed
        if self._augment is not None:
            # Not kept: a pipeline holds a random state, which threads must not share.
            augmentation = self._augment()
            for view in range(1, self.recipe.test_views + 1):
                yield [fixed_view(augmentation, pixels, view) for pixels in framed]

    def _answer(
        self,
        sources: Sequence[tuple[str, _T]],
        read: Callable[[_T], Pixels],
        progress: Progress,
        *,
        embeddings: bool = False,
    ) -> Answers:
        errors = [""] * len(sources)
        probabilities = np.full((len(sources), len(self.classes)), np.nan, dtype=np.float32)
        vectors = np.full((len(sources), self.network.head.in_features), np.nan, np.float32)
        compared = embeddings or SCORECARDS[self.target].by_embeddings
        with progress.step("predicting", len(sources), "images") as step:
            for start in range(0, len(sources), BATCH_SIZE):
                part = sources[start : start + BATCH_SIZE]
                pictures: dict[int, Pixels] = {}
                for number, (_, source) in enumerate(part, start):
                    try:
                        pictures[number] = self._checked(read(source))
                    except (ImageError, OSError) as error:
                        errors[number] = str(error)
                if pictures:
                    (said,) = self._say(list(pictures.values()), embeddings=compared)
                    probabilities[list(pictures)] = said.probabilities
                    if said.embeddings is not None:
                        vectors[list(pictures)] = said.embeddings
                step.advance(len(part))
        names = [name for name, _ in sources]
        return Answers(names, probabilities, vectors if compared else None, errors)

    def _table(self, answers: Answers) -> pd.DataFrame:
        probabilities = answers.probabilities
        readable = ~np.isnan(probabilities[:, 0])
        decided = SCORECARDS[self.target].decide(
            np.where(readable[:, None], probabilities, 0), self.thresholds
        )
        labels = np.array(decode_targets(self.target, decided, self.classes), dtype=object)
        labels[~readable] = None
        highest = probabilities.max(axis=1)
        if decided.ndim == 1:  # one class is said, which need not be the most probable
            highest = np.take_along_axis(probabilities, decided[:, None], axis=1)[:, 0]
        table = {
            "image": np.array(answers.names, dtype=object),
            "prediction": labels,
            "probability": highest,
        }
        table |= {f"p_{name}": probabilities[:, k] for k, name in enumerate(self.classes)}
        return pd.DataFrame({**table, "error": np.array(answers.errors, dtype=object)})


def _batch(framed: Sequence[Pixels], first: int) -> Batch:
    rows = [Row(Path(f"picture {first + number}")) for number in range(len(framed))]
    pixels = torch.from_numpy(stack(framed, rows)).permute(0, 3, 1, 2)
    unknown = torch.zeros(len(framed), dtype=torch.int64)
    return Batch(pixels, unknown, unknown)
