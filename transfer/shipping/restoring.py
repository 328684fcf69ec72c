"""From a model on disk to what a prediction needs: network, recipe and task."""

from pathlib import Path

from transfer.errors import BrokenPromiseError, StoreError, TaskNotFoundError
from transfer.network.backbone import Design, Network, Normalization, build_network
from transfer.overlay import Layer, settle
from transfer.plugin.discovery import load_task
from transfer.plugin.task import Task
from transfer.recipe import Recipe
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings
from transfer.shipping.model_files import ModelCard, read_weights


def read_network(folder: Path, card: ModelCard) -> Network:
    """Return the network that `card` describes, with the weights in `folder`.

    Raises:
        StoreError: they are missing, damaged, or do not fit it.
    """
    head = HeadSettings(**card.head)
    design = Design(TargetKind(card.target), head, stages=head.stages or 1)
    numbers = Normalization(card.mean, card.std)
    network = build_network(card.backbone, len(card.classes), numbers, design)
    try:
        network.load_state_dict(read_weights(folder))
    except RuntimeError as error:
        raise StoreError(f"the weights in {folder} do not fit its card: {error}") from error
    return network


def recipe_and_task(card: ModelCard) -> tuple[Recipe, Task | None]:
    """Return recipe and task; None where the task is not installed and nothing of it is needed.

    Raises:
        BrokenPromiseError: it reads pictures in its own way or draws views that are averaged.
    """
    try:
        task = load_task(card.task)
    except (TaskNotFoundError, BrokenPromiseError) as error:
        plain = {key: value for key, value in card.recipe.items() if key != "task"}
        recipe = settle(Recipe(), [Layer("model", plain)]).recipe
        if card.own_reader or recipe.test_views:
            own = (
                "reads its own file type"
                if card.own_reader
                else f"draws the {recipe.test_views} view(s) it averages over"
            )
            raise BrokenPromiseError(
                f"the model was made by the task {card.task!r}, which {own}; "
                f"install its package. {error}"
            ) from error
        return recipe, None
    return settle(task.defaults(), [Layer("model", card.recipe)]).recipe, task
