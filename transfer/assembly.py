"""The network that a run starts from, its weights in place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from transfer.continuation import Continuation
from transfer.errors import RecipeError
from transfer.finetuning.training import EpochLog
from transfer.network.backbone import (
    Design,
    Network,
    Normalization,
    build_network,
    stated_normalization,
)
from transfer.network.pretrained import FindModel, Weights, load_weights
from transfer.network.state import load_backbone
from transfer.network.stem import Stem, stem_normalization
from transfer.plan import Plan
from transfer.processes import ALONE, Processes
from transfer.progress import Progress
from transfer.recipe import Recipe
from transfer.rows import Rows

Watch = Callable[[EpochLog], None]
"""Looks on while a run learns."""


def nobody(log: EpochLog) -> None:
    """Look on without a word."""


@dataclass(frozen=True)
class Place:
    """Where a run gets things from and puts them, and who carries it out.

    Attributes:
        find_model: run -> folder of its model, for weights that come from a run.
        checkpoints: id of a record -> folder of what its run needs to go on, until it is over.
        continued: the run that goes on; None begins a new one.
        processes: that carry it out together; only the first looks into the folders above.
        watch: hears of each epoch when all else is done; may raise `Stopped` from epoch 1 on.
    """

    find_model: FindModel
    checkpoints: Callable[[str], Path]
    continued: Continuation | None = None
    processes: Processes = ALONE
    watch: Watch = nobody

    def decided(self, recipe: Recipe) -> Recipe:
        """Return `recipe` with what an earlier part of the run has decided, if there was one."""
        return self.continued.card().decided(recipe) if self.continued else recipe


@dataclass(frozen=True)
class _Start:
    """What a network is made of besides the recipe.

    Attributes:
        weights: of the backbone, and where they came from.
        normalization: of the pixels; None is what timm states for the backbone.
        stem: how the first filters are made for other bands.
    """

    weights: Weights
    normalization: Normalization | None
    stem: Stem | None = None


def assemble(plan: Plan, rows: Rows, place: Place, progress: Progress) -> tuple[Network, str]:
    """Return the network a run starts from, and where its weights came from.

    Random weights are drawn by the recipe's seed. A run that goes on has its weights in the
    checkpoint: here it gets only their place.

    Raises:
        RecipeError: the pictures have other bands than the recipe names.
        WeightsError: the weights cannot be had, or are another network's.
    """
    recipe, manifest = plan.settled.recipe, plan.manifest
    design, classes = Design.of(recipe, manifest.target), len(manifest.learned)
    torch.manual_seed(recipe.seed)
    start = place.processes.first(lambda: _start(recipe, rows, place))
    weights = start.weights
    network = build_network(recipe.backbone, classes, start.normalization, design)
    if weights.state is not None:
        unmatched = load_backbone(network, weights.state, weights.source, start.stem)
        if unmatched:
            progress.warn(f"{len(unmatched)} tensor(s) stay random: {'; '.join(unmatched[:5])}")
    return network, weights.source


def _start(recipe: Recipe, rows: Rows, place: Place) -> _Start:
    if place.continued is not None and place.continued.checkpoints.exist():
        card = place.continued.card()
        return _Start(Weights(card.weights), card.normalization)
    if (found := rows.bands()) != (len(recipe.bands) or 3):
        raise RecipeError(
            f"the pictures have {found} bands, and the recipe names "
            f"{', '.join(recipe.bands) or 'red, green and blue'}; name all of them, in order: "
            "--set bands=NAME,NAME,..."
        )
    weights = load_weights(recipe.backbone, recipe.weights, place.find_model)
    numbers, stem = weights.normalization, None
    if weights.bands != recipe.bands:
        stem = Stem(recipe.bands, recipe.stem, weights.bands)
        own = numbers or stated_normalization(recipe.backbone)
        numbers = stem_normalization(own, stem, rows.normalization)
    return _Start(weights, numbers, stem)
