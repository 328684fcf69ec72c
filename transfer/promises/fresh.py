"""Processes that have loaded nothing yet: what a loader's process makes of a task."""

import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import EntryPoint
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from transfer.images.pictures import Pixels
    from transfer.samples.manifest import Row

HEAVY = frozenset({"albumentations", "matplotlib", "mlflow", "sklearn", "timm", "torch"})
"""Packages that take seconds to import; a list of tasks, and each loader, would wait for them."""

_T = TypeVar("_T")


class Fresh:
    """A process that was spawned, as a loader's is, and asked one thing after another.

    It is started when it is first asked, and can be replaced by another once it is fresh no more.
    """

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def ask(self, function: Callable[..., _T], *args: object) -> _T:
        """Return what `function` returns over there; all of it travels pickled."""
        content = pickle.dumps((function, args))
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        # Modules are found over there where they are found here, whatever came to the path since.
        answer: _T = self._pool.submit(_answer, list(sys.path), content).result()
        return answer

    def close(self) -> None:
        """End the process; the next question starts another."""
        if self._pool is not None:
            self._pool.shutdown()
        self._pool = None


PRISTINE, LOADER = Fresh(), Fresh()
"""One that has loaded nothing heavy, and one that may have: shared, as each takes seconds."""


def heavy_on_import(entry: EntryPoint) -> list[str]:
    """Return the heavy packages that a process has loaded once it has imported a task."""
    return _heavy(entry.load)


def heavy_on_reading(read: "Callable[[Row], Pixels]", row: "Row") -> list[str]:
    """Return the heavy packages that a process has loaded once it has read a picture."""
    return _heavy(lambda: read(row))


def ask_pristine(function: Callable[..., list[str]], *args: object) -> list[str]:
    """Return the heavy packages that `function` finds loaded in a process that had none."""
    found = PRISTINE.ask(function, *args)
    if found:
        PRISTINE.close()
    return found


def _heavy(load: Callable[[], object]) -> list[str]:
    load()
    return sorted({name.partition(".")[0] for name in sys.modules} & HEAVY)


def _answer(path: list[str], content: bytes) -> Any:
    sys.path[:] = path
    function, args = pickle.loads(content)  # noqa: S301  # written by the process that asks
    return function(*args)
