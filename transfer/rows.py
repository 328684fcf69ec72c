"""The rows of a plan, as the network reads them and as they are judged."""

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.cache.block import Names, as_names
from transfer.cache.code import code_digest
from transfer.cache.row_store import RowStore
from transfer.finetuning.devices import Compute, loader_workers
from transfer.finetuning.ending import Ending
from transfer.finetuning.features import FeatureCache
from transfer.finetuning.lesson import Learned, Lesson
from transfer.images.pictures import Pixels
from transfer.network.backbone import Network, Normalization
from transfer.network.objective import OBJECTIVES, class_counts, make_loss
from transfer.pixels.band_statistics import band_statistics
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures, memory_for_pixels
from transfer.pixels.views import TrainingViews
from transfer.plan import Plan, pixel_store
from transfer.progress import Progress, Step
from transfer.recipe import Strategy
from transfer.samples.predictions import Predictions, Said, over_classes
from transfer.scoring.metrics import SCORECARDS
from transfer.scoring.predict import joined, mean_over_views, predict_rows


class Rows:
    """What a run reads, and how it is judged.

    Attributes:
        pictures: working-size pixels by row number.
        views: of training.
        judging: by the kind of target and by the task.
    """

    def __init__(self, plan: Plan, compute: Compute, progress: Progress) -> None:
        """Keep what is needed to read the rows of `plan`; nothing is read yet."""
        recipe, task, manifest = plan.settled.recipe, plan.task, plan.manifest
        self._plan, self._compute, self._progress = plan, compute, progress
        self._objective = OBJECTIVES[manifest.target]
        self._by_embeddings = SCORECARDS[manifest.target].by_embeddings
        self._groups = manifest.group_numbers()
        self._targets = manifest.targets
        self.judging = plan.judging
        self.views = TrainingViews(task.augment(recipe.size, recipe.task), recipe.seed)
        self.pictures = Pictures(
            manifest.all_rows(),
            task.reader(recipe.task, recipe.bands),
            size=recipe.size,
            framing=recipe.framing,
            memory_bytes=memory_for_pixels(recipe.machine.cache_gb),
        )
        self.pictures.share(compute.processes.share.local_size)
        self._pixels = as_names(manifest.rows["pixels"])
        self._features = _feature_cache(plan, self.pictures, self._pixels, progress)
        self._batches = Batches(
            self.pictures,
            manifest.learned_targets,
            self.views,
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            workers=loader_workers(recipe.machine, compute),
            threads=compute.threads,
            share=compute.processes.share,
        )

    def map_pixels(self) -> None:
        """Take pixels from disk from now on; decode first what is not there.

        A probe looks at pictures once, or never where their features are kept: it only takes what
        is there.

        Raises:
            ImageError: a file is no longer a readable picture.
        """
        recipe, task = self._plan.settled.recipe, self._plan.task
        store = pixel_store(recipe, self._progress)
        if recipe.strategy is Strategy.PROBE:
            self.pictures.kept = store.find(self._pixels)
            return
        self.pictures.kept = store.complete(
            self._pixels, self.pictures.rows, task.reader(recipe.task, recipe.bands), self._progress
        )

    def lesson(self) -> Lesson:
        """Return what there is to learn from, and how it is judged on val.

        Raises:
            RecipeError: a way of balancing classes that makes no sense for the kind of target.
        """
        manifest, recipe = self._plan.manifest, self._plan.settled.recipe
        train = manifest.numbers("train")
        counts = class_counts(manifest.learned_targets[train], len(manifest.learned))
        return Lesson(
            batches=self._batches,
            features=self._features,
            train=train,
            val=manifest.numbers("val"),
            targets=manifest.learned_targets,
            objective=self._objective,
            loss=make_loss(manifest.target, recipe.training, counts, recipe.head),
            predict=self._predict,
            score=self._score,
            headline=self._plan.headline,
            by_embeddings=self._by_embeddings,
        )

    def judge(self, network: Network, learned: Learned) -> dict[str, Predictions]:
        """Return what `network` says, by split; what is half trained does not see the test rows.

        It is the mean over the plain pictures, which selected, and the recipe's test-time views.
        A process that was told to end has no time for any of it, and of a training that was
        stopped nobody wants it. Features of a frozen backbone are
        taken from where they are kept: other splits and other heads have use for them as well.
        """
        if learned.ended.ending in {Ending.TERMINATED, Ending.STOPPED}:
            return {}
        said = {"val": self._over_views(network, "val", learned.val.said)}
        predict = self._predict_frozen if learned.epoch == 0 else self._predict
        if learned.ended.ending in {Ending.COMPLETED, Ending.STALE}:
            for split in ("calibration", "test"):
                if len(numbers := self._plan.manifest.numbers(split)):
                    found = predict(network, numbers, f"scoring {split}")
                    said[split] = self._over_views(network, split, found)
        return self.judging.decided(said)

    def bands(self) -> int:
        """Return how many bands the pictures have."""
        return int(self.pictures[int(self._plan.manifest.numbers("train")[0])].shape[2])

    def normalization(self) -> Normalization:
        """Return mean and deviation of each band over the training rows."""
        numbers, no_data = self._plan.manifest.numbers("train"), self._plan.settled.recipe.no_data
        with self._progress.step("measuring bands", len(numbers), "images") as step:
            pictures = (self._counted(int(number), step) for number in numbers)
            return Normalization(*band_statistics(pictures, no_data))

    def _score(self, said: Said) -> dict[str, float]:
        # By one process: it decides which weights are kept, in all of them.
        return self._compute.processes.first(
            lambda: self.judging.points(self._predictions("val", said))
        )

    def _counted(self, number: int, step: Step) -> Pixels:
        step.advance()
        return self.pictures[number]

    def _over_views(self, network: Network, split: str, plain: Said) -> Predictions:
        """Return what is said of the rows of `split`, given what was said of them plain."""
        numbers = self._plan.manifest.numbers(split)
        views = (
            self._predict(network, numbers, f"scoring {split}, view {view}", view)
            for view in range(1, self._plan.settled.recipe.test_views + 1)
        )
        return self._predictions(split, mean_over_views(plain, views))

    def _predictions(self, split: str, said: Said) -> Predictions:
        """Return what was said of the rows of `split` beside what is true of them."""
        manifest, numbers = self._plan.manifest, self._plan.manifest.numbers(split)
        return Predictions(
            classes=manifest.classes,
            keys=manifest.rows["key"].to_numpy(dtype=np.str_)[numbers],
            groups=self._groups[numbers],
            targets=self._targets[numbers],
            probabilities=over_classes(said.probabilities, manifest.learned, manifest.classes),
            kind=manifest.target,
            embeddings=said.embeddings if self._by_embeddings else None,
            facts=manifest.facts(numbers),
        )

    def _predict(
        self,
        network: Network,
        numbers: NDArray[np.int64],
        what: str = "scoring val",
        view: int | None = None,
    ) -> Said:
        """Return what `network` says of rows; each process asks it about a part of them."""
        own, read = self._compute.processes.share.part(numbers), self._batches
        with self._progress.step(what, len(own), "images") as step:
            said = (
                None
                if not len(own)
                else predict_rows(
                    network,
                    read.plain(own) if view is None else read.fixed(own, view),
                    self._objective.probabilities,
                    embeddings=self._by_embeddings,
                    on_batch=step.advance,
                )
            )
        return joined([part for part in self._compute.processes.gather(said) if part is not None])

    @torch.inference_mode()
    def _predict_frozen(self, network: Network, numbers: NDArray[np.int64], what: str) -> Said:
        with self._progress.step(what, len(numbers), "images") as step:
            features = self._features.scored(network, numbers, self._batches.plain, self._compute)
            step.advance(len(numbers))

        def said() -> Said:
            logits = network.head(self._compute.move(features)).float()
            return Said(self._objective.probabilities(logits).cpu().numpy(), features.numpy())

        return self._compute.processes.first(said)  # which alone has the features


def _feature_cache(
    plan: Plan, pictures: Pictures, pixels: Names, progress: Progress
) -> FeatureCache:
    recipe, limit = plan.settled.recipe, int(plan.settled.recipe.machine.features_gb * 1e9)
    return FeatureCache(
        rows=pictures.rows,
        pixels=pixels,
        view=f"{recipe.size} px {recipe.framing}",
        passes=f"{plan.task.name} {code_digest(plan.task.augment)} {recipe.task!r} "
        f"seed {recipe.seed}",
        store=RowStore("features", limit, progress.warn),
    )
