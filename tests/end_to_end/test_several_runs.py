"""Folds and a learning curve, typed at the command line."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from transfer.tracking.runs import list_runs

pytestmark = pytest.mark.slow

Command = Callable[..., Any]


def probe(first: Any, name: str, *options: object) -> list[object]:
    """Return the words of a command that probes the first run's chips several times."""
    return [
        "fit", first.task, "--data", first.data, "--weights", "starter", "--strategy", "probe",
        "--name", name, "--out", first.out, *options,
    ]  # fmt: skip


def test_folds_are_runs_below_a_parent_that_judges_what_they_never_saw(
    first: Any, kept: Callable[[str], Any], command_line: Command
) -> None:
    typed = command_line(*probe(first, "folded é", "--folds", 3))
    assert typed.code == 0
    parent, parts = kept("folded é"), [kept(f"folded é-fold{number}") for number in (1, 2, 3)]
    assert {part.run.parent for part in parts} == {parent.run.run_id}
    assert {run.run.status for run in (parent, *parts)} == {"FINISHED"}

    said = parent.table("predictions.parquet")
    assert set(said["split"]) == {"fold 1", "fold 2", "fold 3"}
    assert said["key"].is_unique
    tested = set(pd.Series(kept_split(first, parent)).index)
    assert set(said["key"]) == tested
    guesses = said.filter(regex="^p_").idxmax(axis=1).str.removeprefix("p_")
    recalls = (guesses == said["label"]).groupby(said["label"]).mean()
    value = parent.run.metrics["out_of_fold/balanced_accuracy"]
    assert value == pytest.approx(recalls.mean())
    assert f"pooled     balanced_accuracy {value:.3f} [" in typed.out
    assert not [name for name in parent.run.metrics if name.startswith("test/")]

    for number, part in enumerate(parts, start=1):
        own = part.split()
        fold = set(said.loc[said["split"] == f"fold {number}", "key"])
        assert {key for key, split in own.items() if split == "test"} == fold
        assert set(own) == tested
    listed = list_runs(first.store)
    assert set(listed.loc[listed["parent"] == parent.run.run_id, "name"]) == {
        part.run.name for part in parts
    }


def kept_split(first: Any, parent: Any) -> dict[str, str]:
    """Return row key -> split of the parent; the test rows are in none of its runs."""
    split = dict(parent.split())
    assert "test" not in split.values()
    assert 0 < len(split) < len(list(first.data.rglob("*.jpg")))
    return split


def test_a_learning_curve_is_judged_on_one_val(
    first: Any, kept: Callable[[str], Any], command_line: Command
) -> None:
    typed = command_line(*probe(first, "curved", "--fractions", "0.5,1"))
    assert typed.code == 0
    parent, parts = kept("curved"), [kept(f"curved-{share}percent") for share in (50, 100)]
    keys = [
        {name: {key for key, split in part.split().items() if split == name} for name in
         ("train", "val", "test")}
        for part in parts
    ]  # fmt: skip
    assert keys[0]["train"] < keys[1]["train"]
    assert keys[0]["val"] == keys[1]["val"]
    assert not keys[0]["test"] | keys[1]["test"]
    assert parent.history("curve/balanced_accuracy") == {
        len(found["train"]): part.run.metrics["val/balanced_accuracy"]
        for found, part in zip(keys, parts, strict=True)
    }
    assert parent.file("figures/data_curve.png").read_bytes().startswith(b"\x89PNG")
    assert "2 runs below it; the test rows were not looked at" in typed.out
