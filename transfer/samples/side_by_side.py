"""Work on many rows by all cores, in order, without holding all of it in memory."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_AT_ONCE = 2048  # rows in the queue; all of a large set would take memory for nothing
_MOST_THREADS = 32
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Generator[_Result]:
    """Yield `work` of each item, in their order; close it to let go of what is queued.

    Threads, not processes: decoding and hashing release the interpreter, a reader need not be
    picklable, and of small chips, where threads gain little, one core reads thousands a second.

    Args:
        work: is done in any thread.
        items: what on.
    """
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        for first in range(0, len(items), _AT_ONCE):
            yield from pool.map(work, items[first : first + _AT_ONCE])
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt does not wait for what is queued
