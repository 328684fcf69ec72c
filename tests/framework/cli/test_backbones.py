from collections.abc import Callable
from typing import Any


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
