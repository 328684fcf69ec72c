import json
import subprocess
import sys
from typing import Any

import pytest

from transfer.errors import MeasuringError
from transfer.finetuning import speed
from transfer.laddering import footprint
from transfer.laddering.footprint import Footprint, measure_footprint
from transfer.network.backbone import build_network
from transfer.recipe import Recipe


def test_what_a_network_costs_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SECONDS", 0.01)
    found = footprint._measure("test_resnet", 32, 4, {"device": "cpu", "threads": 1})
    backbone = build_network("test_resnet", classes=1).backbone
    assert found.parameters == sum(weight.numel() for weight in backbone.parameters())
    assert 0 < found.latency_ms < found.latency_many_ms
    assert 100 < found.memory_mb <= found.training_memory_mb
    assert found.training_images_per_second > 0


def test_each_backbone_has_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    expected = Footprint(1, 2, 3.0, 4.0, 5.0, 6.0, 7.0)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, f"chatter\n{json.dumps(vars(expected))}\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert measure_footprint("resnet18", Recipe(size=96, batch_size=8)) == expected
    assert asked[0][:4] == [sys.executable, "-P", "-m", "transfer.laddering.footprint"]
    wanted = json.loads(asked[0][4])
    assert (wanted["backbone"], wanted["size"], wanted["batch_size"]) == ("resnet18", 96, 8)


def test_a_process_that_ends_before_it_has_measured_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = subprocess.CompletedProcess([], -9, "", "Traceback\nMemoryError: no room\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(MeasuringError, match="resnet18 could not be measured: MemoryError"):
        measure_footprint("resnet18", Recipe())
