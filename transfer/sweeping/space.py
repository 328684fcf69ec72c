"""The settings that a sweep varies, each held against the recipe's own types and bounds."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transfer.errors import RecipeError
from transfer.overlay import Layer, settle
from transfer.recipe import Recipe

_RANGE = frozenset({"low", "high", "log", "step"})
_REFUSED = {
    "split.": "all trials have to be judged on the same rows",
    "machine.": "it changes nothing that is learned",
    "seed": "a seed is luck; --seeds N repeats the best trials on others",
}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both among them.

    Attributes:
        low: the smallest.
        high: the largest.
        log: tried evenly over its logarithm.
        step: between two neighbours; None is any number, of whole ones every.
        whole: only whole numbers are meant.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def words(self) -> str:
        """Return it in words."""
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """Some values, each by the text that names it in a study.

    Attributes:
        of_text: text -> value.
    """

    of_text: Mapping[str, Any]

    def words(self) -> str:
        """Return it in words."""
        return " | ".join(self.of_text)


Space = Mapping[str, Range | Choice]
"""What a sweep varies, by dotted name of the setting."""


def read_space(path: Path, defaults: Recipe, layers: Sequence[Layer] = ()) -> Space:
    """Return the space in a TOML file: of each setting a list of values, or a table with two ends.

        lr = { low = 1e-4, high = 1e-2, log = true }
        strategy = ["lp-ft", "finetune"]
        training.layer_decay = { low = 0.5, high = 1.0 }

    Args:
        path: of the file.
        defaults: recipe of the task, its own settings in it, which knows types and bounds.
        layers: changes over it that every trial has.

    Raises:
        RecipeError: no such file, an unknown setting, a value out of its bounds, a setting that no
            sweep may vary; all such mistakes at once.
    """
    tables = _flat(_parsed(path))
    if not tables:
        raise RecipeError(f"space file {str(path)!r} names no setting to vary")
    mistakes: list[str] = []
    space = {name: _axis(name, said, mistakes) for name, said in tables.items()}
    settled = {
        name: _checked(name, axis, defaults, layers, mistakes)
        for name, axis in space.items()
        if axis is not None
    }
    if mistakes:
        raise RecipeError(f"space file {str(path)!r} refused\n  " + "\n  ".join(mistakes))
    return settled


def as_toml(space: Space) -> str:
    """Return a space as the file that `read_space` reads."""
    return "".join(f"{name} = {_written(axis)}\n" for name, axis in space.items())


def _written(axis: Range | Choice) -> str:
    if isinstance(axis, Choice):
        return json.dumps(list(axis.of_text.values()))
    parts = {"low": axis.low, "high": axis.high, "step": axis.step, "log": axis.log or None}
    said = ", ".join(f"{name} = {json.dumps(v)}" for name, v in parts.items() if v is not None)
    return f"{{ {said} }}"


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"no space file {str(path)!r}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"space file {str(path)!r} cannot be read: {error}") from error


def _flat(tables: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return what is said of each setting by its dotted name; a table with a range is no group."""
    flat: dict[str, Any] = {}
    for key, value in tables.items():
        if isinstance(value, Mapping) and not {"low", "high"} & set(value):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _axis(name: str, said: Any, mistakes: list[str]) -> Range | Choice | None:
    """Return what a setting is varied over, before its values are held against the recipe."""
    for start, reason in _REFUSED.items():
        if name == start or (start.endswith(".") and name.startswith(start)):
            mistakes.append(f"{name}: no sweep varies it, for {reason}")
            return None
    if isinstance(said, list) and said:
        texts = [value if isinstance(value, str) else json.dumps(value) for value in said]
        if len(set(texts)) == len(texts):
            return Choice(dict(zip(texts, said, strict=True)))
        mistakes.append(f"{name}: a value stands twice in {said}")
        return None
    if isinstance(said, Mapping):
        return _range(name, said, mistakes)
    mistakes.append(f"{name} = {said!r}: write a list of values, or {{ low = ..., high = ... }}")
    return None


def _range(name: str, said: Mapping[str, Any], mistakes: list[str]) -> Range | None:
    unknown = sorted(set(said) - _RANGE)
    ends = [said.get("low"), said.get("high"), said.get("step", 1)]
    log, numbers = said.get("log", False), [end for end in ends if type(end) in {int, float}]
    problem = ""
    if unknown:
        problem = f"{', '.join(unknown)} is none of low, high, log, step"
    elif len(numbers) < len(ends) or not isinstance(log, bool):
        problem = "low, high and step are numbers, log is true or false"
    elif not numbers[0] < numbers[1]:
        problem = f"low = {numbers[0]} is not under high = {numbers[1]}"
    elif log and (numbers[0] <= 0 or "step" in said):
        problem = "a range over its logarithm starts above 0, and has no step"
    elif numbers[2] <= 0:
        problem = f"step = {numbers[2]} is not above 0"
    if problem:
        mistakes.append(f"{name}: {problem}")
        return None
    return Range(numbers[0], numbers[1], log, said.get("step"))


def _checked(
    name: str,
    axis: Range | Choice,
    defaults: Recipe,
    layers: Sequence[Layer],
    mistakes: list[str],
) -> Range | Choice:
    """Return the axis, its values held against the recipe, which knows which numbers are whole."""
    ends = [axis.low, axis.high] if isinstance(axis, Range) else list(axis.of_text.values())
    found = [_settled(name, value, defaults, layers, mistakes) for value in ends]
    if isinstance(axis, Choice) or None in found:
        return axis
    if any(isinstance(value, (bool, str)) for value in found):
        mistakes.append(f"{name}: it is no number; write a list of values")
        return axis
    if not isinstance(found[0], int):
        return axis
    if axis.step is not None and axis.step != int(axis.step):
        mistakes.append(f"{name}: step = {axis.step}: it is a whole number")
    return Range(int(axis.low), int(axis.high), axis.log, axis.step, whole=True)


def _settled(
    name: str, value: Any, defaults: Recipe, layers: Sequence[Layer], mistakes: list[str]
) -> Any:
    """Return what the recipe makes of a value, or None where it refuses."""
    try:
        recipe = settle(defaults, [*layers, Layer("space", {name: value})]).recipe
    except RecipeError as error:
        new = [line.strip() for line in str(error).splitlines()[1:]]
        mistakes += [line for line in new if line not in mistakes]
        return None
    found: Any = recipe
    for part in name.split("."):
        found = getattr(found, part)
    return found
