"""How busy the machine is while a run goes on, in the names that MLflow's UI looks for."""

import threading
from collections.abc import Callable, Mapping
from itertools import count

import psutil

SYSTEM = "system/"
"""What the names of these numbers start with."""

_MEGABYTE = 1e6


class SystemMetrics:
    """A thread that logs the state of the machine every few seconds, and once more at the end."""

    def __init__(
        self, log: Callable[[Mapping[str, float], int], None], seconds: float, first: int
    ) -> None:
        """Call `log` with numbers and the count of the sample, from `first` on, every `seconds`."""
        self._log, self._seconds, self._first = log, seconds, first
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._run, name="system metrics", daemon=True)

    def start(self) -> None:
        """Begin to sample."""
        psutil.cpu_percent()  # the first call only marks where the next one measures from
        self._thread.start()

    def stop(self) -> None:
        """Take the last sample and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        for number in count(self._first):
            stopped = self._stop.wait(self._seconds)
            self._log(self._sample(), number)
            if stopped:
                return

    def _sample(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            f"{SYSTEM}cpu_utilization_percentage": psutil.cpu_percent(),
            f"{SYSTEM}system_memory_usage_megabytes": memory.used / _MEGABYTE,
            f"{SYSTEM}system_memory_usage_percentage": memory.percent,
            f"{SYSTEM}process_memory_usage_megabytes": self._process.memory_info().rss / _MEGABYTE,
        }
