"""Lay a file, `--set` and the everyday options over the recipe of a task."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from transfer.errors import RecipeError
from transfer.recipe import Recipe, as_text, dotted
from transfer.settings import Settings

EVERYDAY = ("backbone", "weights", "strategy", "epochs", "size", "batch_size", "lr", "seed")
"""Settings that have an option of their own."""

_FREE = "machine."  # where a run was; another machine has its own
_UNSET = "null"
_TIMES = (date, time)  # a datetime is a date; no setting is one

_S = TypeVar("_S", bound=Settings)


@dataclass(frozen=True)
class Layer:
    """Changes that lie over the defaults, and where they came from.

    A name may be nested or dotted: {"split": {"test": 0.2}} is {"split.test": 0.2}.
    """

    origin: str
    changes: Mapping[str, Any]


@dataclass(frozen=True)
class Settled:
    """A recipe and where each of its settings came from, by dotted name."""

    recipe: Recipe
    origins: Mapping[str, str] = field(default_factory=dict)

    def given(self, name: str) -> bool:
        """Say whether a person gave the setting: not the defaults, not the task."""
        return self.origins.get(name, "default") not in {"default", "task"}

    def with_values(self, origin: str, **values: Any) -> "Settled":
        """Return a copy in which top-level settings were decided by `origin`."""
        origins = {**self.origins, **dict.fromkeys(values, origin)}
        return replace(self, recipe=self.recipe.model_copy(update=values), origins=origins)


def settle(defaults: Recipe, layers: Iterable[Layer] = ()) -> Settled:
    """Lay `layers` over the defaults of a task, the last one uppermost.

    Raises:
        RecipeError: a key is unknown or a value out of range; all such mistakes at once.
    """
    merged = defaults.model_dump()
    origins = _task_origins(defaults)
    for layer in layers:
        changes = _spelled_out(layer.changes)
        merged = _merge(merged, changes)
        origins |= dict.fromkeys(dotted(changes), layer.origin)
    mistakes: list[str] = []
    task = _validate(type(defaults.task), merged.pop("task"), "task.", mistakes)
    recipe = _validate(type(defaults), merged, "", mistakes)
    if recipe is None or task is None:
        raise RecipeError("recipe refused\n  " + "\n  ".join(mistakes))
    return Settled(recipe.with_task(task), origins)


def read_layer(path: Path) -> Layer:
    """Read changes from a .toml file, or from the .json that a run keeps.

    Raises:
        RecipeError: no such file, or it cannot be parsed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        changes = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError as error:
        raise RecipeError(f"no recipe file {str(path)!r}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"recipe file {str(path)!r} cannot be read: {error}") from error
    if not isinstance(changes, dict):
        raise RecipeError(f"recipe file {str(path)!r} holds no table of settings")
    return Layer(path.name, changes)


def parse_assignments(assignments: Iterable[str]) -> Layer:
    """Turn `["training.patience=3"]` into changes; a value is TOML, else plain text.

    Raises:
        RecipeError: an assignment has no "=" or its key is no dotted name.
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not all(part.isidentifier() for part in key.strip().split(".")):
            raise RecipeError(
                f"--set {assignment!r}: write --set key=value, as in training.patience=3"
            )
        changes = _merge(changes, _spelled_out({key.strip(): _value(value)}))
    return Layer("--set", changes)


def as_options(
    settings: Mapping[str, str], defaults: Recipe, everyday: Sequence[str] = EVERYDAY
) -> list[str]:
    """Return the words of a command that turn the recipe of a task into these settings.

    Args:
        settings: as text by dotted name, as a run keeps them; those of the machine are left out.
        defaults: of the task.
        everyday: settings that the command has an option for; the others go by `--set`.
    """
    known = {name: as_text(value) for name, value in defaults.dotted().items()}
    differ = {
        name: value
        for name, value in settings.items()
        if value != known.get(name) and value != _UNSET and not name.startswith(_FREE)
    }
    words: list[str] = []
    for name in everyday:
        if name in differ:
            words += [f"--{name.replace('_', '-')}", differ.pop(name)]
    for name, value in differ.items():
        words += ["--set", f"{name}={value}"]
    return words


def _spelled_out(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes with dotted names nested; within a setting, a dot is part of a key."""
    nested: dict[str, Any] = {}
    for name, value in changes.items():
        inner = value
        for part in reversed(name.split(".")):
            inner = {part: inner}
        nested = _merge(nested, inner)
    return nested


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if isinstance(parsed, _TIMES) else parsed  # a run may be called 2026-01-01


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merge(below, value) if both else value  # type: ignore[arg-type]  # see both
    return merged


def _validate(model: type[_S], values: Any, prefix: str, mistakes: list[str]) -> _S | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        known = list(dotted(model.model_construct().model_dump(), prefix))
        mistakes += [_explain(problem, prefix, known) for problem in error.errors()]
        return None


def _explain(problem: Any, prefix: str, known: list[str]) -> str:
    key = prefix + ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"{key} = {problem['input']!r}: {problem['msg'].removeprefix('Value error, ')}"
    near = difflib.get_close_matches(key, known, n=1)
    return f"{key}: no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _task_origins(defaults: Recipe) -> dict[str, str]:
    plain, own = Recipe().dotted(), defaults.dotted()
    return {
        key: "task" if key.startswith("task.") or plain.get(key) != value else "default"
        for key, value in own.items()
    }
