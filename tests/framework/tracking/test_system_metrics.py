from collections.abc import Mapping

import psutil

from transfer.tracking.system_metrics import SystemMetrics


def test_even_a_short_run_has_one_sample() -> None:
    heard: list[tuple[Mapping[str, float], int]] = []
    metrics = SystemMetrics(
        lambda numbers, count: heard.append((numbers, count)), seconds=3600, first=0
    )

    metrics.start()
    metrics.stop()

    ((numbers, count),) = heard
    assert count == 0
    assert all(name.startswith("system/") for name in numbers)
    total = psutil.virtual_memory().total / 1e6
    assert 0 < numbers["system/process_memory_usage_megabytes"] < total
    assert 0 < numbers["system/system_memory_usage_megabytes"] < total


def test_samples_are_counted_on() -> None:
    counts: list[int] = []
    metrics = SystemMetrics(lambda _, count: counts.append(count), seconds=0.001, first=7)

    metrics.start()
    while len(counts) < 3:
        pass
    metrics.stop()

    assert counts == list(range(7, 7 + len(counts)))
