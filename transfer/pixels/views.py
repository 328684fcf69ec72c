"""What happens to working-size pixels before the network sees them."""

import random

import numpy as np
from numpy.typing import NDArray

from transfer.images.pictures import Pixels
from transfer.plugin.task import Augmentation
from transfer.samples.manifest import Row


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
        generator = np.random.default_rng((self._seed, epoch, number))
        self._augmentation.set_random_state(
            generator,
            random.Random(int(generator.integers(2**63))),  # noqa: S311  # no secret
        )
        view: Pixels = self._augmentation(image=pixels, row=row)["image"]
        return view


def epoch_order(numbers: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """Return `numbers` (N,) in the order in which `epoch` goes through them."""
    return np.random.default_rng((seed, epoch)).permutation(numbers)


def even_batches(numbers: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Cut `numbers` (N,) into ceil(N / batch_size) batches whose sizes differ by one at most.

    So no row is dropped, and no last batch of one row upsets batch norm.
    """
    return np.array_split(numbers, -(-len(numbers) // batch_size)) if len(numbers) else []
