"""How much time there is, and whether something would still fit."""

import re
import time
from collections.abc import Callable

from transfer.errors import RecipeError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SLACK = 1.25  # reading, views, scoring and checkpoints: what an estimate leaves out


def parse_seconds(text: str) -> float:
    """Return how many seconds "90s", "20m", "1.5h" or "1h30m" are.

    Raises:
        RecipeError: it is none of these, or nothing.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise RecipeError(f"--budget {text!r}: write it as 90s, 20m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not seconds:
        raise RecipeError(f"--budget {text!r}: nothing can be done in no time")
    return seconds


def in_words(seconds: float) -> str:
    """Return a duration as people say it: "40 s", "3 min", "1.5 h"."""
    if seconds < 90:  # noqa: PLR2004  # where seconds still tell something
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004


class Budget:
    """Time that runs from the moment it is made.

    An estimate from images/s alone is too short, so it counts for a quarter more; once
    something was timed that took longer than that, for as much more as it took.
    """

    def __init__(self, seconds: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """Start the clock.

        Args:
            seconds: how many there are; None never runs out.
            now: the clock.
        """
        self._seconds, self._now, self._began = seconds, now, now()
        self._slack = _SLACK

    @property
    def spent(self) -> float:
        """Seconds since it was made."""
        return self._now() - self._began

    @property
    def left(self) -> float:
        """Seconds that are left, never under 0; infinite where there is no limit."""
        return float("inf") if self._seconds is None else max(0.0, self._seconds - self.spent)

    def expected(self, seconds: float) -> float:
        """Return how long something takes of which images/s say `seconds`."""
        return self._slack * seconds

    def fits(self, seconds: float) -> bool:
        """Say whether there is time for something of which images/s say `seconds`."""
        return 0 < self.left >= self.expected(seconds)

    def learn(self, seconds: float, took: float) -> None:
        """Hear that something of which images/s said `seconds` took so long."""
        if seconds > 0:
            self._slack = max(self._slack, took / seconds)
