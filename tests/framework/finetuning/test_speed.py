import itertools

import pytest
import torch

from transfer.finetuning import speed
from transfer.finetuning.speed import Speed, measure_speed


def test_steps_are_counted_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock) / 4)
    # At four looks at the clock a second, there are four steps of eight pictures in it.
    assert measure_speed("test_resnet", 32, 8, "fp32") == Speed(32.0, 32.0)


def test_the_steps_are_in_the_precision_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SECONDS", 0.01)
    asked, true = [], torch.autocast

    def autocast(device: str, dtype: torch.dtype) -> torch.autocast:
        asked.append(dtype)
        return true(device, dtype=dtype)

    monkeypatch.setattr(torch, "autocast", autocast)
    measure_speed("test_resnet", 32, 2, "fp32")
    assert asked == []
    measure_speed("test_resnet", 32, 2, "bf16")
    assert set(asked) == {torch.bfloat16}
