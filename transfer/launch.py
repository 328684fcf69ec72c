"""Processes that a launcher started: torchrun, accelerate, or whatever sets the same variables."""

import atexit
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from transfer.errors import ProcessError, TransferError
from transfer.processes import ALONE, Processes, Share, share_of_launch

T = TypeVar("T")

# A process that dies is missed at once: its connections close. This is for one that hangs, and
# must be longer than anything that the others wait for, such as the first look at a large data set.
_PATIENCE = timedelta(hours=1)


def join() -> Processes:
    """Return the processes that a launcher started beside this one, once they are all there.

    Raises:
        ProcessError: they do not find each other.
    """
    share = share_of_launch()
    return ALONE if share.size == 1 else _joined(share)


@cache
def _joined(share: Share) -> "Launched":
    # What is exchanged between stages lies in main memory, gradients lie where the network does.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        if not dist.is_initialized():
            dist.init_process_group(backend, timeout=_PATIENCE)
        hosts: list[str] = [""] * share.size
        dist.all_gather_object(hosts, socket.gethostname())
    except (ValueError, RuntimeError) as error:
        raise ProcessError(
            f"WORLD_SIZE is {share.size}, but the processes do not find each other: {error}. "
            "Start them with torchrun --nproc-per-node N -m transfer fit ..."
        ) from error
    launched = Launched(_completed(share, hosts))
    atexit.register(launched.leave)
    return launched


def _completed(share: Share, hosts: list[str]) -> Share:
    """Return `share` with what the launcher did not say, by the names of the machines."""
    own, before = hosts[share.rank], hosts[: share.rank]
    return share._replace(
        local_rank=before.count(own) if share.local_rank < 0 else share.local_rank,
        local_size=hosts.count(own) if share.local_size < 0 else share.local_size,
    )


class Launched:
    """Several processes; see `Processes`.

    Every exchange begins with a meeting, a few bytes of each to all. A process that cannot go on
    comes to the next meeting as well, and says so there: nobody is left waiting for it. So however
    a run ends, all processes leave it behind the same exchange, and are ready for the next one.
    """

    def __init__(self, share: Share) -> None:
        self.share, self.stopped = share, False
        self._pending: Callable[[], BaseException | None] = lambda: None
        self._agreed: BaseException | None = None
        self._lost, self._is_apart = False, False

    @torch.no_grad()
    def total(self, value: float, tensors: Sequence[Tensor] = ()) -> float:
        """Return the sum of `value`; add up `tensors` in place, as one: many would take turns."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors]) if tensors else None
        values = self._meet(value)
        if flat is not None:
            self._exchange(dist.all_reduce, flat)
            parts = torch.split(flat, [tensor.numel() for tensor in tensors])
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))
        return sum(values)

    @torch.no_grad()
    def align(self, tensors: Sequence[Tensor]) -> None:
        """Give `tensors`, in place, what those of the first process hold."""
        self._meet()
        for tensor in tensors:
            sent = tensor.contiguous()
            self._exchange(dist.broadcast, sent, src=0)
            tensor.copy_(sent)

    def first(self, make: Callable[[], T]) -> T:
        """Return what `make` gives in the first process."""
        value = [self._apart(make)] if self.share.is_first else [None]
        self._meet()
        self._exchange(dist.broadcast_object_list, value, src=0)
        return value[0]  # type: ignore[return-value]  # what the first made

    def gather(self, value: T) -> list[T]:
        """Return what each process gave, by rank."""
        self._meet()
        return self._gathered(value)

    def collect(self, value: T) -> list[T]:
        """Return to the first process what each gave; to the others an empty list."""
        self._meet()
        given: list[T] | None = [value] * self.share.size if self.share.is_first else None
        self._exchange(dist.gather_object, value, given, dst=0)
        return given or []

    def in_turn(self, make: Callable[[], T]) -> T:
        """Return what `make` gives, called by one process of each machine first."""
        made = [self._apart(make)] if self.share.local_rank == 0 else []
        self._meet()
        return made[0] if made else make()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Leave a block together.

        Raises:
            BaseException: the error that ended the block in one of the processes.
        """
        try:
            yield
            self._meet()
        except BaseException as error:
            if self._lost or error is self._agreed:
                raise
            agreed = self._agree(error)
            if agreed is error:
                raise
            raise agreed from error

    def hear_signals(self, pending: Callable[[], BaseException | None]) -> None:
        """Ask `pending` for a signal whenever all meet."""
        self._pending, self.stopped = pending, False

    def leave(self) -> None:
        """Wait for the others at the end of this process.

        A launcher ends all processes as soon as one has failed: the first one, which writes, must
        not be cut off by another that has nothing left to do.
        """
        if self._lost or not dist.is_initialized():
            return
        with suppress(ProcessError):
            self._agree(ProcessError(f"process {self.share.rank} has ended"))
            dist.destroy_process_group()

    def _apart(self, make: Callable[[], T]) -> T:
        self._is_apart = True
        try:
            return make()
        finally:
            self._is_apart = False

    def _meet(self, value: float = 0.0) -> list[float]:
        """Return what each process brought, by rank.

        Raises:
            BaseException: what ended one of the processes.
            ProcessError: one has gone.
            RuntimeError: the others do something else meanwhile.
        """
        if self._is_apart:
            raise RuntimeError("what one process makes for all may ask nothing of the others")
        signal = self._pending()
        if signal is not None:
            raise self._agree(signal)
        values = self._words(value, failed=False)
        if values is None:
            raise self._agreed_among(None)
        return values

    def _agree(self, error: BaseException) -> BaseException:
        """Tell the others, at their next meeting, that this process ends by `error`.

        Return the error by which all of them end.
        """
        self._words(0.0, failed=True)
        return self._agreed_among(error)

    def _words(self, value: float, *, failed: bool) -> list[float] | None:
        """Return the value of each process; None if one of them has failed."""
        own = torch.tensor([float(failed), value], dtype=torch.float64)
        words = [torch.empty_like(own) for _ in range(self.share.size)]
        self._exchange(dist.all_gather, words, own)
        return None if any(word[0] for word in words) else [float(word[1]) for word in words]

    def _agreed_among(self, error: BaseException | None) -> BaseException:
        told = self._gathered(None if error is None else self._portable(error))
        ranks = [rank for rank, each in enumerate(told) if each is not None]
        worst = min(ranks, key=lambda rank: _order(told[rank]))
        agreed = error if worst == self.share.rank else told[worst]
        self._agreed, self.stopped = agreed, isinstance(agreed, KeyboardInterrupt)
        return agreed or ProcessError("a process ended without a reason")

    def _portable(self, error: BaseException) -> BaseException:
        """Return what the others can understand of `error`."""
        if isinstance(error, TransferError | KeyboardInterrupt):
            return error
        return ProcessError(
            f"process {self.share.rank} of {self.share.size} failed, as it says itself: {error!r}"
        )

    def _gathered(self, value: T) -> list[T]:
        values = [value] * self.share.size
        self._exchange(dist.all_gather_object, values, value)
        return values

    def _exchange(self, exchange: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        try:
            exchange(*arguments, **options)
        except RuntimeError as error:  # what gloo and NCCL raise
            self._lost = True
            raise ProcessError(
                f"process {self.share.rank} of {self.share.size} lost the others: one was killed, "
                f"or gave no answer for {_PATIENCE.total_seconds() / 3600:g} h; see what it said "
                "itself. A run that has begun goes on with torchrun ... -m transfer resume RUN "
                f"({str(error).partition('. ')[0]})"
            ) from error


def _order(error: BaseException | None) -> tuple[bool, bool]:
    """Say which of several errors counts: the least comes first; a signal is no reason of its own.

    A process that is told to end (SIGTERM) has less time than one that met Ctrl-C.
    """
    return isinstance(error, KeyboardInterrupt), type(error) is KeyboardInterrupt
