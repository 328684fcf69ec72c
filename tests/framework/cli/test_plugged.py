from typing import Annotated

import pytest
import typer

from transfer.cli.plugged import call

UsageError = typer.BadParameter.__base__  # typer brings its own click


def draw(
    name: str, *, size: Annotated[int, typer.Option(min=1, help="Of the drawing.")] = 3
) -> None:
    """Draw something."""
    if name == "interrupt":
        raise KeyboardInterrupt
    typer.echo(f"{name} {size}")


def test_words_become_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    call("transfer draw", draw, ["a cat", "--size", "7"])
    assert capsys.readouterr().out == "a cat 7\n"


def test_its_help_has_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        call("transfer draw", draw, ["--help"])
    said = capsys.readouterr().out
    assert "transfer draw" in said
    assert "Draw something." in said
    assert "Of the drawing." in said


@pytest.mark.parametrize("words", [[], ["a", "--size", "0"], ["a", "--colour", "red"]])
def test_what_was_typed_wrongly_is_left_to_the_command_line(words: list[str]) -> None:
    with pytest.raises(UsageError):
        call("transfer draw", draw, words)


def test_an_interrupt_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt):
        call("transfer draw", draw, ["interrupt"])
