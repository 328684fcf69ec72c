"""Folds and learning curves: several runs on a handful of pictures and a tiny network."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from transfer.errors import TrainingError
from transfer.experiment import RunResult
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.task import Task
from transfer.progress import Silent
from transfer.repeats import _pooled, cross_validate, learning_curve
from transfer.samples.layouts.detect import read_layout
from transfer.samples.manifest import Manifest
from transfer.samples.predictions import Predictions
from transfer.samples.target import Labelling, TargetKind

pytestmark = pytest.mark.usefixtures("own_caches")
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "strategy": "probe", "epochs": 1, "size": 32,
    "batch_size": 8, "machine": {"device": "cpu", "threads": 1}, "split": {"test": 0.2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_curve(no_figures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transfer.repeats.data_curve", lambda *_: b"drawn")


@pytest.fixture
def planned(
    class_folders: Callable[..., Path], small_task: Task, no_run: Callable[[str], Path]
) -> Callable[..., Plan]:
    data = class_folders({"cat": 15, "dog": 15})

    def plan(**settings: Any) -> Plan:
        layers = [Layer("test", SETTINGS), Layer("test", settings)]
        return make_plan(small_task, data, layers, find_model=no_run, progress=Silent())

    return plan


class Runs:
    """Carries out plans, each with a recorder of its own."""

    def __init__(self, recorder: Any, carry_out: Callable[..., RunResult]) -> None:
        self._kind, self._carry_out = type(recorder), carry_out
        self.plans: list[Plan] = []
        self.recorders: list[Any] = []

    def __call__(self, plan: Plan) -> RunResult:
        self.plans.append(plan)
        self.recorders.append(self._kind())
        return self._carry_out(plan, self.recorders[-1], log_pictures=False)


@pytest.fixture
def runs(recorder: Any, carry_out: Callable[..., RunResult]) -> Runs:
    return Runs(recorder, carry_out)


def test_folds_are_pooled_over_every_row_that_is_not_test(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    plan = planned()
    result = cross_validate(plan, 3, recorder, Silent(), runs)
    outer = plan.manifest.rows["split"] == "test"
    said = pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))
    assert sorted(said["key"]) == sorted(plan.manifest.rows.loc[~outer, "key"])
    assert set(said["split"]) == {"fold 1", "fold 2", "fold 3"}
    guesses = np.where(said["p_cat"] >= said["p_dog"], "cat", "dog")
    expected = balanced_accuracy_score(said["label"], guesses)
    assert result.scores["balanced_accuracy"] == pytest.approx(expected)
    assert recorder.numbers["out_of_fold/balanced_accuracy", 0] == pytest.approx(expected)
    assert result.scores["balanced_accuracy_low"] < expected
    assert (result.status, recorder.status) == ("FINISHED", "FINISHED")
    assert recorder.model == {}


def test_the_test_rows_are_in_no_fold_and_what_judges_selects_nothing(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    plan = planned()
    outer = set(plan.manifest.rows.loc[plan.manifest.rows["split"] == "test", "key"])
    cross_validate(plan, 3, recorder, Silent(), runs)
    assert len(runs.plans) == 3
    for part, own in zip(runs.plans, runs.recorders, strict=True):
        assert not outer & set(part.manifest.rows["key"])
        said = pd.read_parquet(io.BytesIO(own.files["predictions.parquet"]))
        parts = said.groupby("split")["key"].agg(set)
        assert not parts["val"] & parts["test"]
        assert not outer & set(said["key"])
    assert not [name for name, _ in recorder.numbers if name.startswith("test/")]
    assert "transfer.test_digest" not in recorder.run.tags
    assert "test" not in {data.context for data in recorder.inputs}


def test_every_fold_is_a_run_below_the_parent_and_a_line_of_its_table(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    plan = planned()
    result = cross_validate(plan, 3, recorder, Silent(), runs)
    assert recorder.run.parent is None
    assert [own.run.parent for own in runs.recorders] == ["recorded"] * 3
    assert [own.run.name for own in runs.recorders] == [f"{plan.name}-fold{n}" for n in (1, 2, 3)]
    table = pd.read_csv(io.BytesIO(recorder.files["scores/folds.csv"]))
    assert table["fold"].tolist() == [1, 2, 3]
    assert table["test_rows"].sum() == (plan.manifest.rows["split"] != "test").sum()
    for number, part in enumerate(result.parts, start=1):
        assert table.loc[number - 1, "test/accuracy"] == pytest.approx(part.test["accuracy"])
        assert recorder.numbers["fold/accuracy", number] == part.test["accuracy"]


def test_the_seed_of_the_run_moves_no_row_between_folds(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    for seed in (0, 1):
        cross_validate(planned(seed=seed), 2, recorder, Silent(), runs)
    digests = [part.manifest.digest() for part in runs.plans]
    assert digests[:2] == digests[2:]


def test_a_second_cross_validation_by_probe_reads_no_picture(
    planned: Callable[..., Plan], recorder: Any, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cross_validate(planned(), 3, recorder, Silent(), runs)
    monkeypatch.setattr(
        "transfer.pixels.batches._Reader.__getitem__", lambda *_: pytest.fail("a batch was read")
    )
    again = cross_validate(planned(probe={"iterations": 100}), 3, recorder, Silent(), runs)
    assert again.scores["accuracy"] == pytest.approx(first.scores["accuracy"], abs=0.1)


@pytest.mark.parametrize("strategy", ["lp-ft", "finetune", "scratch"])
def test_folds_take_every_strategy(
    planned: Callable[..., Plan], recorder: Any, runs: Runs, strategy: str
) -> None:
    result = cross_validate(planned(strategy=strategy), 2, recorder, Silent(), runs)
    assert result.status == "FINISHED"
    assert set(result.table["status"]) == {"FINISHED"}


def test_a_fold_that_is_interrupted_ends_the_row(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    def killed(plan: Plan) -> RunResult:
        result = runs(plan)
        return RunResult(**{**vars(result), "status": "KILLED", "ended": "interrupted"})

    result = cross_validate(planned(), 3, recorder, Silent(), killed)
    assert (result.status, recorder.status, result.ended) == ("KILLED", "KILLED", "interrupted")
    assert len(runs.plans) == 1
    assert result.scores == {}
    assert "scores/folds.csv" in recorder.files


def test_an_error_in_a_fold_closes_the_parent(planned: Callable[..., Plan], recorder: Any) -> None:
    def fails(_: Plan) -> RunResult:
        raise TrainingError("no")

    with pytest.raises(TrainingError):
        cross_validate(planned(), 3, recorder, Silent(), fails)
    assert recorder.status == "FAILED"


def test_a_learning_curve_has_the_same_val_and_growing_parts_of_train(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    plan = planned()
    result = learning_curve(plan, (1.0, 0.3, 0.6), recorder, Silent(), runs)
    keys = [
        {split: set(part.manifest.rows["key"][part.manifest.numbers(split)]) for split in
         ("train", "val", "test")}
        for part in runs.plans
    ]  # fmt: skip
    assert keys[0]["train"] < keys[1]["train"] < keys[2]["train"]
    assert keys[2]["train"] == set(plan.manifest.rows["key"][plan.manifest.numbers("train")])
    val = set(plan.manifest.rows["key"][plan.manifest.numbers("val")])
    assert all(part["val"] == val and not part["test"] for part in keys)
    for part, own in zip(result.parts, runs.recorders, strict=True):
        assert part.test == {}
        assert own.run.parent == "recorded"
    steps = {
        step: value for (name, step), value in recorder.numbers.items()
        if name == "curve/balanced_accuracy"
    }  # fmt: skip
    assert steps == {
        len(part["train"]): found.val["balanced_accuracy"]
        for part, found in zip(keys, result.parts, strict=True)
    }
    table = pd.read_csv(io.BytesIO(recorder.files["scores/curve.csv"]))
    assert table["rows"].tolist() == list(steps)
    assert "figures/data_curve.png" in recorder.files
    assert recorder.status == "FINISHED"


def test_fractions_that_come_to_the_same_rows_are_one_run(
    planned: Callable[..., Plan], recorder: Any, runs: Runs
) -> None:
    learning_curve(planned(), (0.01, 0.02, 1.0), recorder, Silent(), runs)
    assert len(runs.plans) == 2


def test_what_is_known_of_rows_is_pooled_with_what_was_said_of_them(tmp_path: Path) -> None:
    keys = ["a", "b", "c"]
    table = pd.DataFrame({"image": keys, "label": ["x", "y", "x"], "group": keys, "key": keys})
    parts = [
        Predictions(
            classes=("x", "y"),
            keys=np.array(part),
            groups=np.zeros(len(part), np.int64),
            targets=np.zeros(len(part), np.int64),
            probabilities=np.full((len(part), 2), 0.5, np.float32),
            facts=pd.DataFrame({"height": [ord(key) for key in part]}),
        )
        for part in (["c"], ["a", "b"])
    ]
    pooled = _pooled(parts, Manifest(tmp_path, table, ("x", "y")))
    assert pooled.facts is not None
    assert pooled.facts["height"].tolist() == [ord(key) for key in pooled.keys.tolist()]
    assert len(set(pooled.groups.tolist())) == 3


def test_identities_are_judged_fold_by_fold_as_no_network_s_distances_are_another_s(
    class_folders: Callable[..., Path],
    small_task: Task,
    no_run: Callable[[str], Path],
    recorder: Any,
    runs: Runs,
) -> None:
    who = Labelling(TargetKind.IDENTITY)
    task = replace(small_task, read_manifest=lambda data, _: read_layout(data, who))
    data = class_folders({"ann": 15, "bob": 15})
    layers = [Layer("test", SETTINGS)]
    plan = make_plan(task, data, layers, find_model=no_run, progress=Silent())
    result = cross_validate(plan, 2, recorder, Silent(), runs)
    assert not result.pooled
    for name in ("rank_1", "eer"):
        alone = [part.test[name] for part in result.parts]
        assert result.scores[name] == recorder.numbers[f"out_of_fold/{name}", 0]
        assert result.scores[name] == pytest.approx(np.mean(alone))
    assert not [name for name in result.scores if name.endswith("_low")]
    table = pd.read_csv(io.BytesIO(recorder.files["scores/out_of_fold.csv"]))
    assert set(table["note"]) == {
        "mean of 2 folds, each judged by its own network's distances; no interval"
    }
