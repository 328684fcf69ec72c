"""Likely label errors: what a probe that never saw a row says, against what its label says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from transfer.assembly import Place, assemble
from transfer.auditing.facts import held_out_folds
from transfer.finetuning.devices import choose_compute
from transfer.finetuning.probe import Labelled, cross_entropy, fit_linear_head
from transfer.images.colours import colour_places
from transfer.network.pretrained import FindModel
from transfer.pixels.cache import Pictures
from transfer.plan import Plan
from transfer.processes import ALONE
from transfer.progress import Progress
from transfer.rows import Rows
from transfer.settings import ProbeSettings

_PROBE = ProbeSettings(l2=(1e-1,), iterations=50)
"""One strength for all folds: nothing is chosen by rows that are judged."""

_MORE_LIKELY_THAN_NOT = 0.5


class Eyes:
    """The rows of a plan as a frozen network sees them."""

    def __init__(self, plan: Plan, find_model: FindModel, progress: Progress) -> None:
        """Read as a probe of `plan` does; all rows count as rows to learn from."""
        every = replace(plan, manifest=plan.manifest.with_columns(split="train"))
        self._plan, self._progress = every, progress
        self._compute = choose_compute(plan.settled.recipe.machine, ALONE)
        self._rows = Rows(every, self._compute, progress)
        self._rows.map_pixels()
        self._place = Place(find_model, Path)  # where nothing is written: nothing is trained

    @property
    def pictures(self) -> Pictures:
        """Working-size pixels by row number."""
        return self._rows.pictures

    @property
    def colours(self) -> tuple[int, ...] | None:
        """Where red, green and blue are among the bands, where they are named."""
        return colour_places(self._plan.settled.recipe.bands)

    def features(self) -> torch.Tensor:
        """Return features (N, D) of all rows, from where a probe of the same recipe keeps them.

        Raises:
            WeightsError, RecipeError: as a run does.
        """
        network, _ = assemble(self._plan, self._rows, self._place, self._progress)
        network.to(self._compute.device)
        lesson, numbers = self._rows.lesson(), np.arange(len(self._plan.manifest))
        with self._progress.step("features", len(numbers), "images") as step:
            found = lesson.features.fitted_on(network, numbers, lesson.batches.plain, self._compute)
            step.advance(len(numbers))
        return found


def held_out_probabilities(
    features: torch.Tensor, labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    """Return what probes say of rows whose groups they never saw: (N, K), each row summing to 1.

    Args:
        features: (N, D).
        labels: class numbers (N,), 0..K-1.
        groups: (N,).
        seed: of the folds.
    """
    classes = int(labels.max()) + 1
    said = np.zeros((len(labels), classes))
    targets = torch.tensor(labels)
    for fitted, held_out in held_out_folds(labels, groups, seed):
        rows = Labelled(features[fitted], targets[fitted])
        head = fit_linear_head(rows, rows, cross_entropy(classes), _PROBE)
        logits = features[held_out].double() @ head.weight.double().T + head.bias.double()
        said[held_out] = logits.softmax(dim=1).numpy()
    return said


def likely_errors(said: NDArray[np.float64], labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return (row, likelier class) of the rows whose label is likely wrong, the surest first.

    Confident learning (Northcutt, Jiang and Chuang 2021, doi:10.1613/jair.1.12125): a class is said
    with confidence where its probability reaches the mean that it has over the rows labelled with
    it. A row is off where the likeliest of those classes is not its label, and more likely than
    not: of a weak probe, thresholds are low. They are ordered by how much more probable it is.

    Args:
        said: out-of-fold probabilities (N, K).
        labels: class numbers (N,).
    """
    usual = np.array(
        [said[labels == k, k].mean() if (labels == k).any() else 1 for k in range(said.shape[1])]
    )
    confident = np.where(said >= usual, said, -1.0)
    best = confident.argmax(axis=1)
    own = said[np.arange(len(labels)), labels]
    off = (confident.max(axis=1) >= _MORE_LIKELY_THAN_NOT) & (best != labels)
    margin = said[np.arange(len(labels)), best] - own
    numbers = np.flatnonzero(off)
    numbers = numbers[np.argsort(-margin[numbers], kind="stable")]
    return list(zip(numbers.tolist(), best[numbers].tolist(), strict=True))
