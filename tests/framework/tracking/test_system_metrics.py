from pathlib import Path

import numpy as np
import psutil
import pytest

from transfer.tracking.events import Numbers
from transfer.tracking.system_metrics import SystemMetrics


def test_even_a_short_run_has_one_sample() -> None:
    heard: list[Numbers] = []
    metrics = SystemMetrics(heard.append, seconds=3600, first=0)

    metrics.start()
    metrics.stop()

    (sample,) = heard
    numbers = sample.values
    assert sample.step == 0
    assert all(name.startswith("system/") for name in numbers)
    total = psutil.virtual_memory().total / 1e6
    assert 0 < numbers["system/process_memory_usage_megabytes"] < total
    assert 0 < numbers["system/system_memory_usage_megabytes"] < total


def test_samples_are_counted_on() -> None:
    heard: list[Numbers] = []
    metrics = SystemMetrics(heard.append, seconds=0.001, first=7)

    metrics.start()
    metrics.follow()
    while len(heard) < 3:
        pass
    metrics.stop()

    assert [sample.step for sample in heard] == list(range(7, 7 + len(heard)))


def test_samples_wait_for_the_run_to_speak_and_keep_their_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[Numbers] = []
    taken: list[Numbers] = []
    metrics = SystemMetrics(heard.append, seconds=0.001, first=0)
    monkeypatch.setattr(metrics, "_sample", lambda: taken.append(Numbers(step=0, values={})) or {})

    metrics.start()
    while len(taken) < 5:
        assert not heard
    metrics.follow()
    metrics.stop()

    assert [sample.step for sample in heard] == list(range(len(taken)))
    times = [sample.time for sample in heard]
    assert all(one.time <= time for one, time in zip(taken, times, strict=True))
    assert all(time <= one.time for one, time in zip(taken[1:], times, strict=False))


def test_the_peak_of_memory_is_remembered_and_mapped_files_are_no_part_of_it(
    tmp_path: Path,
) -> None:
    heard: list[Numbers] = []
    (tmp_path / "file").write_bytes(bytes(300_000_000))
    mapped = np.memmap(tmp_path / "file", np.uint8, "r")
    assert not mapped.any()  # each page is in memory now
    metrics = SystemMetrics(heard.append, seconds=3600, first=0)
    held = np.ones(200_000_000, np.uint8)
    metrics._look_at_memory()
    with_it = psutil.Process().memory_info()
    del held
    metrics.start()
    metrics.stop()
    peak = heard[-1].values["system/peak_memory_gb"]
    assert peak == pytest.approx((with_it.rss - with_it.shared) / 1e9, abs=0.02)
    assert peak < (with_it.rss - 290_000_000) / 1e9
