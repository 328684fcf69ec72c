"""All promises, in order, and what became of each of one task."""

from collections.abc import Mapping
from pathlib import Path

from transfer.progress import Progress
from transfer.promises import package, reading, samples, scores, views
from transfer.promises.promise import Promise, State, Verdict
from transfer.promises.subject import Subject

PROMISES = (
    *package.PROMISES, *reading.PROMISES, *samples.PROMISES, *views.PROMISES, *scores.PROMISES,
)  # fmt: skip

BY_NAME: Mapping[str, Promise] = {promise.name: promise for promise in PROMISES}


class Examination:
    """A task whose promises are looked at, each once, and after those that it needs."""

    def __init__(
        self,
        name: str,
        data: Path | None = None,
        *,
        taken: frozenset[str] = frozenset(),
        progress: Progress | None = None,
    ) -> None:
        """Examine the task `name`.

        Args:
            name: of an installed task.
            data: a folder or a table; unset takes samples that the task writes.
            taken: names of commands that it cannot have.
            progress: sees a bar over the files that have to be opened.
        """
        self._subject = Subject(name, data, taken=taken, progress=progress)
        self._verdicts: dict[str, Verdict] = {}

    def verdict(self, promise: Promise) -> Verdict:
        """Return what became of `promise`, and why where it was not kept."""
        if promise.name not in self._verdicts:
            self._verdicts[promise.name] = self._look(promise)
        return self._verdicts[promise.name]

    def _look(self, promise: Promise) -> Verdict:
        for name in promise.needs:
            if self.verdict(BY_NAME[name]).state is not State.KEPT:
                return Verdict(promise, State.MOOT, f"it takes {name}, which is not kept")
        try:
            state, said = promise.check(self._subject)
        except Exception as error:  # noqa: BLE001  # a stranger's code may raise anything
            return Verdict(promise, State.BROKEN, f"{type(error).__name__}: {error}")
        return Verdict(promise, state, said)
