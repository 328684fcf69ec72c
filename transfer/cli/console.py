"""The person's side of a run: bars on a terminal, plain lines where there is none."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate

from rich.cells import cell_len, set_cell_size
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

_GAP = 2  # between columns
_PIPE_COLUMNS = 240  # where no terminal says how wide it is, nothing is cut off

# Names of files and classes are printed as they are: ":car:" is no picture, "[1]" no style.
OUT = Console(
    highlight=False,
    soft_wrap=True,
    markup=False,
    emoji=False,
    width=None if sys.stdout.isatty() else _PIPE_COLUMNS,
)
ERR = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; where the terminal is too narrow, the last columns are left out."""
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    shown = sum(end <= OUT.width + _GAP for end in accumulate(width + _GAP for width in widths))
    widths = [min(width, OUT.width) for width in widths[: max(1, shown)]]

    def line(cells: Sequence[str]) -> str:
        sized = (set_cell_size(*pair) for pair in zip(cells, widths, strict=False))
        return (" " * _GAP).join(sized).rstrip()

    # Not a table of rich's, which takes more than a millisecond for each row.
    OUT.print(line(columns), style="bold")
    if rows:
        OUT.print("\n".join(map(line, rows)))


class Terminal:
    """A `Progress` that draws; where nobody looks (a pipe, a log file) it only prints lines."""

    def say(self, line: str) -> None:
        """Print one line."""
        OUT.print(line)

    def warn(self, line: str) -> None:
        """Print one line that asks for attention, on standard error."""
        ERR.print(f"note       {line}", style="yellow")

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
