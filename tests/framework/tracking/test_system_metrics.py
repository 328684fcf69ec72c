from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil
import pytest

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


def test_the_peak_of_memory_is_remembered_and_mapped_files_are_no_part_of_it(
    tmp_path: Path,
) -> None:
    heard: list[Mapping[str, float]] = []
    seconds = 3600.0
    (tmp_path / "file").write_bytes(bytes(300_000_000))
    mapped = np.memmap(tmp_path / "file", np.uint8, "r")
    assert not mapped.any()  # each page is in memory now
    metrics = SystemMetrics(lambda numbers, _: heard.append(numbers), seconds, first=0)
    held = np.ones(200_000_000, np.uint8)
    metrics._look_at_memory()
    with_it = psutil.Process().memory_info()
    del held
    metrics.start()
    metrics.stop()
    peak = heard[-1]["system/peak_memory_gb"]
    assert peak == pytest.approx((with_it.rss - with_it.shared) / 1e9, abs=0.02)
    assert peak < (with_it.rss - 290_000_000) / 1e9
