from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import Field

from transfer.errors import RecipeError
from transfer.overlay import Layer
from transfer.recipe import Recipe
from transfer.settings import TaskSettings
from transfer.sweeping.space import Choice, Range, Space, as_toml, read_space


class Own(TaskSettings):
    """Settings of a task."""

    crop: float = Field(default=0.7, gt=0, le=1)
    """A share."""
    flip: bool = True
    """A switch."""


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Space]:
    """Read a space that is written down like this."""

    def read(text: str, *layers: Layer) -> Space:
        path = tmp_path / "space.toml"
        path.write_text(text)
        return read_space(path, Recipe(task=Own()), layers)

    return read


def test_ranges_and_choices_are_read_with_the_types_of_the_recipe(
    space: Callable[..., Space],
) -> None:
    found = space(
        """
        lr = { low = 1e-4, high = 1e-2, log = true }
        epochs = { low = 2, high = 8, step = 2 }
        strategy = ["lp-ft", "finetune"]
        [training]
        layer_decay = { low = 0.5, high = 1 }
        [task]
        crop = [0.3, 0.7]
        flip = [true, false]
        """
    )
    assert found["lr"] == Range(1e-4, 1e-2, log=True)
    assert found["epochs"] == Range(2, 8, step=2, whole=True)
    assert found["training.layer_decay"] == Range(0.5, 1)  # 1 is a number like any other there
    assert found["strategy"] == Choice({"lp-ft": "lp-ft", "finetune": "finetune"})
    assert found["task.flip"] == Choice({"true": True, "false": False})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("training.layer_decay = { low = 0.5, high = 1.5 }", "less than or equal to 1"),
        ("task.crop = [0.5, 2.0]", "task.crop = 2.0: Input should be less than or equal to 1"),
        ("strategie = ['lp-ft']", "did you mean strategy?"),
        ("task.flop = [true]", "did you mean task.flip?"),
        ("strategy = ['lp-ft', 'full']", "Input should be 'probe', 'finetune', 'lp-ft'"),
        ("epochs = { low = 1.5, high = 4 }", "valid integer"),
        ("epochs = { low = 1, high = 4, step = 0.5 }", "it is a whole number"),
        ("lr = { low = 1e-2, high = 1e-4 }", "low = 0.01 is not under high = 0.0001"),
        ("training.ema = { low = 0.0, high = 0.9, log = true }", "starts above 0"),
        ("training.ema = { low = 0.0, hi = 0.9 }", "hi is none of low, high, log, step"),
        ("strategy = { low = 1, high = 2 }", "Input should be 'probe'"),
        ("task.flip = { low = 0, high = 1 }", "it is no number"),
        ("lr = 0.001", "write a list of values"),
        ("lr = [0.001, 0.001]", "stands twice"),
        ("seed = [1, 2]", "a seed is luck"),
        ("split.val = [0.1, 0.2]", "the same rows"),
        ("machine.threads = [1, 2]", "changes nothing that is learned"),
        ("", "names no setting"),
        ("lr = [", "cannot be read"),
    ],
)
def test_what_no_trial_could_try_is_refused_before_any_is_begun(
    space: Callable[..., Space], line: str, said: str
) -> None:
    with pytest.raises(RecipeError, match="(?s)" + said.replace("(", r"\(")):
        space(line)


def test_what_is_written_down_again_is_the_same_space(space: Callable[..., Space]) -> None:
    found = space(
        """
        lr = { low = 1e-4, high = 1e-2, log = true }
        epochs = { low = 2, high = 8, step = 2 }
        strategy = ["lp-ft", "finetune"]
        task.flip = [true, false]
        """
    )
    assert space(as_toml(found)) == found


def test_all_mistakes_are_said_at_once(space: Callable[..., Space]) -> None:
    with pytest.raises(RecipeError) as refused:
        space("seed = [1]\nlr = [-1]\nepochs = [0]")
    assert str(refused.value).count("\n  ") == 3


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no space file"):
        read_space(tmp_path / "none.toml", Recipe())
