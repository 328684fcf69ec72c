from collections.abc import Callable
from typing import Any

import pytest

from transfer.finetuning import speed
from transfer.finetuning.speed import Speed


def test_a_pattern_lists_what_it_matches(command_line: Callable[..., Any]) -> None:
    answer = command_line("backbones", "test_resne*", "--size", "64")
    assert answer.code == 0
    assert "counting   1 backbones for one picture of 64 px" in answer.out
    (line,) = [line for line in answer.out.splitlines() if line.startswith("test_resnet ")]
    assert line.split()[1:3] == ["0.37", "M"]


def test_the_starter_is_on_every_machine(command_line: Callable[..., Any]) -> None:
    answer = command_line("backbones", "resnet10t", "--size", "64")
    (line,) = [line for line in answer.out.splitlines() if line.startswith("resnet10t ")]
    assert line.split()[-1] == "starter"


def test_a_size_that_a_network_does_not_take_is_said_in_its_row(
    command_line: Callable[..., Any],
) -> None:
    answer = command_line("backbones", "vit_tiny_patch16_224", "--size", "64")
    assert answer.code == 0
    assert "not at this size" in answer.out


def test_a_pattern_without_a_match_is_refused(command_line: Callable[..., Any]) -> None:
    answer = command_line("backbones", "qqqq*")
    assert answer.code == 2
    assert "timm has no model 'qqqq*'" in answer.err


def test_speeds_are_measured_when_asked(
    command_line: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    speed_of = {"fp32": Speed(1200.0, 300.0), "bf16": Speed(2400.0, 700.0)}
    monkeypatch.setattr(speed, "measure_speed", lambda *given: speed_of[given[3]])
    answer = command_line("backbones", "test_resnet", "--size", "64", "--measure")
    head, row = answer.out.splitlines()[2:4]
    assert head.split("  ")[-1].strip() == "train bf16"
    assert row.split()[-4:] == ["1,200", "2,400", "300", "700"]


def test_what_this_project_adds_to_timm_is_found(command_line: Callable[..., Any]) -> None:
    answer = command_line("backbones", "plain*", "--size", "32")
    assert [line.split()[0] for line in answer.out.splitlines()[2:4]] == ["plain20", "plain56"]
