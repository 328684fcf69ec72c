"""How busy the machine is while a run goes on, in the names that MLflow's UI looks for."""

import threading
import time
from collections.abc import Callable
from itertools import count

import psutil

from transfer.tracking.events import Numbers

SYSTEM = "system/"
"""What the names of these numbers start with."""

_MEGABYTE, _GIGABYTE = 1e6, 1e9
_MEMORY_SECONDS = 1.0  # between two looks at the memory: a peak of less may be missed


class SystemMetrics:
    """A thread that tells the state of the machine every few seconds, and once more at the end.

    It listens from the start, and speaks after the run: MLflow's pages compare runs by the number
    that was said first, which should be a score.
    """

    def __init__(self, say: Callable[[Numbers], None], seconds: float, first: int) -> None:
        """Call `say` with a sample every `seconds`, its steps counted from `first` on."""
        self._say, self._seconds, self._first = say, seconds, first
        self._stop, self._may_speak = threading.Event(), threading.Event()
        self._process, self._peak = psutil.Process(), 0
        self._thread = threading.Thread(target=self._run, name="system metrics", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        psutil.cpu_percent()  # the first call only marks where the next one measures from
        self._thread.start()

    def follow(self) -> None:
        """Tell what is known so far and all that comes: the run has said a number of its own."""
        self._may_speak.set()

    def stop(self) -> None:
        """Take the last sample and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        unsaid: list[Numbers] = []
        for number in count(self._first):
            stopped = self._stopped_within(self._seconds)
            unsaid.append(Numbers(step=number, values=self._sample()))
            if stopped or self._may_speak.is_set():
                for sample in unsaid:
                    self._say(sample)
                unsaid.clear()
            if stopped:
                return

    def _stopped_within(self, seconds: float) -> bool:
        """Wait, and look at the memory meanwhile; return whether this is the end."""
        ends = time.monotonic() + seconds
        stopped = False
        while not stopped and (left := ends - time.monotonic()) > 0:
            self._look_at_memory()
            stopped = self._stop.wait(min(left, _MEMORY_SECONDS))
        self._look_at_memory()
        return stopped

    def _look_at_memory(self) -> None:
        used = self._process.memory_info()
        # What is mapped from files the system takes back at will: Linux counts it apart.
        self._peak = max(self._peak, used.rss - getattr(used, "shared", 0))

    def _sample(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            f"{SYSTEM}cpu_utilization_percentage": psutil.cpu_percent(),
            f"{SYSTEM}system_memory_usage_megabytes": memory.used / _MEGABYTE,
            f"{SYSTEM}system_memory_usage_percentage": memory.percent,
            f"{SYSTEM}process_memory_usage_megabytes": self._process.memory_info().rss / _MEGABYTE,
            f"{SYSTEM}peak_memory_gb": self._peak / _GIGABYTE,
        }
