"""From rows to batches of tensors, the same whatever the number of processes that read them."""

import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from transfer.images.pictures import Pixels
from transfer.pixels.cache import Pictures, stack
from transfer.pixels.views import TrainingViews, epoch_order, even_batches
from transfer.processes import Share
from transfer.samples.target import Targets

_AHEAD = 2
# A step on a CPU takes every core and waits for the slowest: where they are few, a reader beside it
# costs more than one before it.
_FEW_THREADS = 2


class Batch(NamedTuple):
    """A step's worth of rows.

    Attributes:
        pixels: (B, C, S, S) uint8, or float32 in [0, 1]; channels-last in memory.
        targets: (B,) int64, class numbers or ranks, or (B, K) float32 of 0 and 1; all zero where
            labels are not known.
        numbers: (B,) int64, which rows of the manifest they are.
    """

    pixels: Tensor
    targets: Tensor
    numbers: Tensor


class _Order(NamedTuple):
    """Which rows make a batch, and whether an epoch draws their views or they are fixed ones."""

    numbers: NDArray[np.int64]
    epoch: int | None = None
    fixed: int | None = None


class Batches:
    """The rows of a manifest in batches, plain or as training views."""

    def __init__(  # noqa: PLR0913  # what to read, how much at once, and by whom
        self,
        pictures: Pictures,
        targets: Targets,
        views: TrainingViews | None = None,
        *,
        batch_size: int,
        seed: int = 0,
        workers: int = 0,
        threads: int = 1,
        share: Share = Share(),  # noqa: B008  # never changes
    ) -> None:
        """Keep what is needed to read; nothing is read yet.

        Args:
            pictures: working-size pixels by row number.
            targets: by row number, (N,) or (N, K).
            views: of the task; without them training batches are plain.
            batch_size: rows of a batch, of all processes that share it together.
            seed: of the order of an epoch.
            workers: processes that read ahead; 0 reads in this process.
            threads: that share the decoding of a batch in this process.
            share: of this process.
        """
        self._share = share
        self._batch_size, self._seed, self._threads = batch_size, seed, threads
        self._targets = targets
        self._reader = _Reader(pictures, targets, views, threads if workers == 0 else 1)
        self._orders: list[_Order] = []
        self._loader: DataLoader[Batch] | None = None
        if workers:
            pictures.share(workers)
            self._loader = DataLoader(
                self._reader,
                sampler=_Live(self._orders),
                batch_size=None,
                collate_fn=_as_it_is,
                num_workers=workers,
                worker_init_fn=_end_in_peace,
                persistent_workers=True,
                pin_memory=torch.cuda.is_available(),
                generator=torch.Generator(),  # else it draws from the state that dropout draws from
            )

    def training(
        self,
        numbers: NDArray[np.int64],
        epoch: int,
        *,
        first: int = 0,
        balanced: bool = False,
        shared: bool = False,
    ) -> Iterator[Batch]:
        """Yield the rows `numbers` as views, in the order that (seed, epoch) draws.

        Args:
            numbers: rows of the epoch, (n,).
            epoch: which one; it draws order and views.
            first: number of the batch to begin with, for an epoch that goes on.
            balanced: draw every class alike, some rows twice and some not at all.
            shared: yield the part of this process of every batch; the rows of a step are the same
                however many share them.
        """
        order = epoch_order(numbers, self._seed, epoch, self._targets if balanced else None)
        parts = even_batches(order, self._batch_size)
        parts = [self._share.part(part) for part in parts] if shared else parts
        return self._read([_Order(part, epoch) for part in parts[first:]])

    def plain(self, numbers: NDArray[np.int64]) -> Iterator[Batch]:
        """Yield the rows `numbers` in their order, as scoring sees them."""
        return self._read([_Order(part) for part in even_batches(numbers, self._batch_size)])

    def dealt(self, numbers: NDArray[np.int64]) -> Iterator[Batch]:
        """Yield every batch of `plain` in one of the processes: whole ones, whose means count."""
        parts = even_batches(numbers, self._batch_size)
        return self._read([_Order(part) for part in parts[self._share.rank :: self._share.size]])

    def fixed(self, numbers: NDArray[np.int64], view: int) -> Iterator[Batch]:
        """Yield the rows `numbers` in their order, each as its test-time view 1, 2, ..."""
        parts = even_batches(numbers, self._batch_size)
        return self._read([_Order(part, fixed=view) for part in parts])

    def steps(self, rows: int) -> int:
        """Return how many batches an epoch over `rows` rows has."""
        return -(-rows // self._batch_size)

    def _read(self, orders: list[_Order]) -> Iterator[Batch]:
        if self._loader is not None:
            self._orders[:] = orders
            return iter(self._loader)
        if self._threads <= _FEW_THREADS:
            return (self._reader[order] for order in orders)
        return self._read_in_thread(orders)

    def _read_in_thread(self, orders: list[_Order]) -> Iterator[Batch]:
        # torch lets go of the interpreter while it computes; the next batch is made meanwhile.
        with ThreadPoolExecutor(1) as thread:
            waiting = deque(thread.submit(self._reader.__getitem__, o) for o in orders[:_AHEAD])
            for order in chain(orders[_AHEAD:], [None] * min(_AHEAD, len(orders))):
                batch = waiting.popleft().result()
                if order is not None:
                    waiting.append(thread.submit(self._reader.__getitem__, order))
                yield batch


class _Live:
    """A sampler over a list that changes between epochs, so that loader processes live on."""

    def __init__(self, orders: list[_Order]) -> None:
        self._orders = orders

    def __iter__(self) -> Iterator[_Order]:
        return iter(tuple(self._orders))

    def __len__(self) -> int:
        return len(self._orders)


class _Reader(Dataset[Batch]):
    """Order -> Batch, in a loader process or in this one."""

    def __init__(
        self,
        pictures: Pictures,
        targets: Targets,
        views: TrainingViews | None,
        threads: int,
    ) -> None:
        self._pictures, self._targets, self._views = pictures, targets, views
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __getitem__(self, order: _Order) -> Batch:
        numbers = [int(number) for number in order.numbers]
        rows = [self._pictures.rows[number] for number in numbers]
        pictures = self._decode(numbers)
        if self._views is not None and order.epoch is not None:
            each = zip(pictures, rows, numbers, strict=True)
            pictures = [self._views(pixels, row, order.epoch, n) for pixels, row, n in each]
        elif self._views is not None and order.fixed is not None:
            pictures = [self._views.fixed(pixels, order.fixed) for pixels in pictures]
        return Batch(
            # (B, S, S, C) in memory is what torch calls channels-last
            torch.from_numpy(stack(pictures, rows)).permute(0, 3, 1, 2),
            torch.from_numpy(self._targets[order.numbers]),
            torch.from_numpy(order.numbers),
        )

    def _decode(self, numbers: list[int]) -> Sequence[Pixels]:
        if self._pool is None:
            return self._decode_part(numbers)
        parts = [numbers[start :: self._threads] for start in range(self._threads)]
        of_number = {
            number: pixels
            for part, decoded in zip(parts, self._pool.map(self._decode_part, parts), strict=True)
            for number, pixels in zip(part, decoded, strict=True)
        }
        return [of_number[number] for number in numbers]

    def _decode_part(self, numbers: list[int]) -> list[Pixels]:
        return [self._pictures[number] for number in numbers]


def _as_it_is(batch: Any) -> Any:  # what torch calls a collate_fn: the reader has collated
    return batch


def _end_in_peace(worker: int) -> None:  # noqa: ARG001  # torch's form
    # A system that ends a machine tells all processes at once. A loader process that dies of it
    # would raise an error in the middle of the step that the training still has to finish.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
