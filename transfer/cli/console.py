"""The person's side of a run: bars on a terminal, plain lines where there is none."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from transfer.progress import Step

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


class Terminal:
    """A `Progress` that draws; where nobody looks (a pipe, a log file) it only prints lines."""

    def say(self, line: str) -> None:
        """Print one line."""
        OUT.print(line, markup=False)

    def warn(self, line: str) -> None:
        """Print one line that asks for attention, on standard error."""
        ERR.print(f"note       {line}", style="yellow", markup=False)

    @contextmanager
    def step(self, what: str, total: int, unit: str) -> Iterator[Step]:
        """Show a bar over `total` parts until the work is done."""
        bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<16}", markup=False),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=OUT,
            transient=True,
            disable=not OUT.is_terminal,
        )
        with bars:
            yield _Bar(bars, what, total, unit)


class _Bar:
    def __init__(self, bars: Bars, what: str, total: int, unit: str) -> None:
        self._bars, self._unit = bars, unit
        self._task = bars.add_task(what, total=total, speed="", note="")
        self._done, self._began = 0, time.perf_counter()

    def advance(self, count: int = 1, note: str = "") -> None:
        self._done += count
        speed = self._done / max(1e-9, time.perf_counter() - self._began)
        self._bars.update(
            self._task, advance=count, speed=f"{speed:,.0f} {self._unit}/s", note=note
        )
