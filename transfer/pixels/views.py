"""What happens to working-size pixels before the network sees them."""

import random
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from transfer.errors import RecipeError
from transfer.images.pictures import Pixels
from transfer.plugin.task import Augmentation
from transfer.samples.manifest import Row

_BALANCED = 1  # keeps these draws apart from those of views and plain orders


class TrainingViews:
    """The views of a task, each drawn from its own random state.

    The state comes from (seed, epoch, row), so that neither the order nor the number of loader
    processes changes a sample. One stream serves all transforms of a pipeline: seeded one by one
    they would move together, and a flip would always come with its quarter turn.
    """

    def __init__(self, augmentation: Augmentation, seed: int) -> None:
        self._augmentation, self._seed = augmentation, seed

    def __call__(self, pixels: Pixels, row: Row, epoch: int, number: int) -> Pixels:
        """Return the view of row `number` in `epoch`: (S, S, C) of the dtype given."""
        return _draw(self._augmentation, pixels, row, (self._seed, epoch, number))

    def fixed(self, pixels: Pixels, number: int) -> Pixels:
        """Return the test-time view `number` of a picture, see `fixed_view`."""
        return fixed_view(self._augmentation, pixels, number)


def fixed_view(augmentation: Augmentation, pixels: Pixels, number: int) -> Pixels:
    """Return the test-time view `number`, 1, 2, ..., of a picture: (S, S, C) of the dtype given.

    The random state comes from `number` alone, so that every picture is turned in the same way, by
    any run and beside any other picture. The row is empty: a row that is judged has a label, and a
    view that was chosen by it would give it away.
    """
    return _draw(augmentation, pixels, Row(Path()), (number,))


def _draw(augmentation: Augmentation, pixels: Pixels, row: Row, key: tuple[int, ...]) -> Pixels:
    generator = np.random.default_rng(key)
    augmentation.set_random_state(
        generator,
        random.Random(int(generator.integers(2**63))),  # noqa: S311  # no secret
    )
    view: Pixels = augmentation(image=pixels, row=row)["image"]
    return view


def epoch_order(
    numbers: NDArray[np.int64], seed: int, epoch: int, classes: NDArray[np.generic] | None = None
) -> NDArray[np.int64]:
    """Return the rows of `epoch` in the order in which it goes through them, (N,).

    Without `classes` that is every row once. With them every class is drawn alike, to one row: a
    row of a rare class comes several times, a row of a common one waits for a later epoch, and
    none comes again before all others of its class have.

    Args:
        numbers: of the rows, (N,).
        seed: of the run.
        epoch: 0, 1, ...
        classes: class of every row of the manifest, by row number.

    Raises:
        RecipeError: rows have several labels, so that no row belongs to one class.
    """
    generator = np.random.default_rng((seed, epoch))
    if classes is None:
        return generator.permutation(numbers)
    if classes.ndim != 1:
        raise RecipeError(
            "training.balance = 'sampler': rows with several labels cannot be drawn alike by "
            "class; weight the loss instead, or take none"
        )
    return generator.permutation(_balanced(numbers, classes[numbers], seed, epoch))


def _balanced(
    numbers: NDArray[np.int64], classes: NDArray[np.generic], seed: int, epoch: int
) -> NDArray[np.int64]:
    """Return as many rows as there are, the classes taking turns through all epochs.

    Each class is an endless row of permutations of its rows. The draws of all epochs are counted
    on, and draw number i is the next row of class i mod K.
    """
    present, class_of_row = np.unique(classes, return_inverse=True)
    rows, kinds = len(numbers), len(present)
    drawn = []
    for kind in range(kinds):
        first, end = (-(-(e * rows - kind) // kinds) for e in (epoch, epoch + 1))
        drawn.append(_from_endless(numbers[class_of_row == kind], (seed, kind), first, end))
    return np.concatenate(drawn) if drawn else numbers


def _from_endless(
    members: NDArray[np.int64], key: tuple[int, int], first: int, end: int
) -> NDArray[np.int64]:
    """Return places first..end-1 of the endless row of permutations of `members`."""
    cycles = range(first // len(members), -(-end // len(members)))
    shuffled = [
        np.random.default_rng((*key, cycle, _BALANCED)).permutation(members) for cycle in cycles
    ]
    skipped = cycles.start * len(members)
    return np.concatenate(shuffled)[first - skipped : end - skipped]


def even_batches(numbers: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut `numbers` (N,) into ceil(N / batch_size) batches whose sizes differ by one at most.

    So no row is dropped, and no last batch of one row upsets batch norm.
    """
    return np.array_split(numbers, -(-len(numbers) // batch_size)) if len(numbers) else []
