"""The processes that carry out a run together: this one alone, unless a launcher started more."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")
Parted = TypeVar("Parted", list[str], "NDArray[np.int64]")


class Share(NamedTuple):
    """Which share of the work is that of this process.

    Attributes:
        rank: its number among all processes, from 0.
        size: how many there are.
        local_rank: its number among those of its machine.
        local_size: how many those are.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether it is the process that writes and speaks."""
        return self.rank == 0

    def part(self, rows: Parted) -> Parted:
        """Return the part of this process of `rows`; in the order of ranks they are all of them.

        The parts differ by one at most.
        """
        first, end = (len(rows) * rank // self.size for rank in (self.rank, self.rank + 1))
        return rows[first:end]


def share_of_launch(environment: Mapping[str, str] = os.environ) -> Share:
    """Return what a launcher says of this process, in the variables that torchrun made custom.

    What it does not say is -1.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        return Share()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Share(*(int(environment.get(name, "-1")) for name in names))


class Processes(Protocol):
    """What stages may ask of the others; all processes call the same methods in the same order.

    `Alone` is one process, and does nothing. Where there are more, each method first meets the
    others: an error or a signal that ended the work of one ends it there in all of them, by the
    same error.
    """

    @property
    def share(self) -> Share:
        """Which share of the work is that of this process."""

    @property
    def stopped(self) -> bool:
        """Whether a signal has ended the work of all of them: another one says nothing new."""

    def total(self, value: float, tensors: Sequence["Tensor"] = ()) -> float:
        """Return the sum of `value` over all processes; add up `tensors` as well, in place.

        Every process gets the same bits.
        """

    def align(self, tensors: Sequence["Tensor"]) -> None:
        """Give `tensors` of all processes, in place, what those of the first hold."""

    def first(self, make: Callable[[], T]) -> T:
        """Return what `make` gives in the first process; the others wait for a copy.

        So `make` may ask nothing of them.
        """

    def gather(self, value: T) -> list[T]:
        """Return what each process gave, by rank."""

    def collect(self, value: T) -> list[T]:
        """Return to the first process what each gave, by rank; to the others nothing."""

    def in_turn(self, make: Callable[[], T]) -> T:
        """Return what `make` gives: one process of a machine calls it first, then its others do."""

    def together(self) -> AbstractContextManager[None]:
        """Leave a block together: by the end of all, or by the error of one of them."""

    def hear_signals(self, pending: Callable[[], BaseException | None]) -> None:
        """Ask `pending`, whenever all meet, for a signal that came to this process."""


class Alone:
    """One process: it has all there is."""

    share, stopped = Share(), False

    def total(self, value: float, tensors: Sequence["Tensor"] = ()) -> float:  # noqa: ARG002  # as Processes
        """Return `value`."""
        return value

    def align(self, tensors: Sequence["Tensor"]) -> None:
        """Do nothing."""

    def first(self, make: Callable[[], T]) -> T:
        """Return what `make` gives."""
        return make()

    def gather(self, value: T) -> list[T]:
        """Return `value` in a list."""
        return [value]

    def collect(self, value: T) -> list[T]:
        """Return `value` in a list."""
        return [value]

    def in_turn(self, make: Callable[[], T]) -> T:
        """Return what `make` gives."""
        return make()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Do nothing."""
        yield

    def hear_signals(self, pending: Callable[[], BaseException | None]) -> None:
        """Do nothing: a signal is raised where it falls."""


ALONE = Alone()
