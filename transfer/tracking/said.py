"""What a record has already, so that a run that is continued says nothing twice."""

import math
from collections.abc import Iterable

from transfer.tracking.events import Event, Numbers, Read, Started, Tagged
from transfer.tracking.tracker import THROUGHPUT, DataInput


class Said:
    """Each number once a step, each tag as it is now, each part of the data."""

    def __init__(self, events: Iterable[Event]) -> None:
        """Know what `events` say."""
        self._numbers: dict[tuple[str, int], float] = {}
        self._tags: dict[str, str] = {}
        self._inputs: set[DataInput] = set()
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Know `event`, too."""
        match event:
            case Started(run=run):
                self._tags |= run.tags
            case Tagged(tags=tags):
                self._tags |= tags
            case Numbers(step=step, values=values):
                self._numbers |= {(name, step): value for name, value in values.items()}
            case Read(inputs=inputs):
                self._inputs |= set(inputs)

    def news(self, event: Tagged | Numbers | Read) -> Tagged | Numbers | Read | None:
        """Return `event` without what is known, or None where nothing is left of it."""
        match event:
            case Tagged(tags=tags):
                new = {name: text for name, text in tags.items() if self._tags.get(name) != text}
                return event.model_copy(update={"tags": new}) if new else None
            case Numbers(step=step, values=values):
                unsaid = {
                    name: value
                    for name, value in values.items()
                    if (name, step) not in self._numbers
                }
                return event.model_copy(update={"values": unsaid}) if unsaid else None
            case Read(inputs=inputs):
                unread = tuple(data for data in inputs if data not in self._inputs)
                return event.model_copy(update={"inputs": unread}) if unread else None

    def change(self, event: Numbers) -> str | None:
        """Return in words which number was said before, with another value, if there is one.

        Speed is left out: it is measured, and never the same.
        """
        for name, value in event.values.items():
            known = self._numbers.get((name, event.step), value)
            both_are_none = math.isnan(known) and math.isnan(value)
            if name != THROUGHPUT and known != value and not both_are_none:
                return (
                    f"{name!r} at step {event.step} was {known!r} before and is {value!r} now: the "
                    "first stands; a run goes on exactly only on the machine it was started on"
                )
        return None

    def next_step(self, prefix: str) -> int:
        """Return the step behind the last one of the numbers whose names start with `prefix`."""
        steps = [step for name, step in self._numbers if name.startswith(prefix)]
        return max(steps, default=-1) + 1
