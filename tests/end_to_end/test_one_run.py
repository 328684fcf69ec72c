"""A run that is trained, scored, kept, and asked again: in this process and in a fresh one."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from transfer.tracking.logged_model import find_model
from transfer.tracking.store import connect

pytestmark = pytest.mark.slow

Command = Callable[..., Any]

_FRESH = """
import sys
from pathlib import Path
import mlflow
import pandas as pd
import transfer

run, model, out, *files = sys.argv[1:]
transfer.load(run).predict(files).to_parquet(f"{out}/loaded.parquet")
pictures = pd.DataFrame({"image": [Path(file).read_bytes() for file in files]})
mlflow.pyfunc.load_model(model).predict(pictures).to_parquet(f"{out}/served.parquet")
"""


def by_content(folder: Path) -> dict[str, Path]:
    """Return the files below a folder by the digest that names a row."""
    files = sorted(folder.rglob("*.jpg"))
    digests = [hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest() for file in files]
    return dict(zip(digests, files, strict=True))


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table.filter(regex="^p_").to_numpy()


@pytest.fixture
def stored(kept: Callable[[str], Any], first: Any) -> pd.DataFrame:
    """What the run said of its test rows, by key."""
    table = kept(first.name).table("predictions.parquet")
    return table[table["split"] == "test"].set_index("key")


def test_a_run_ends_with_scores_and_their_intervals(first: Any) -> None:
    assert first.result.status == "FINISHED"
    for scores in (first.result.val, first.result.test):
        for name in ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "log_loss"):
            assert scores[f"{name}_low"] < scores[f"{name}_high"]
        assert scores["accuracy_low"] <= scores["accuracy"] <= scores["accuracy_high"]
        assert 0 <= scores["ece"] <= 1
    assert first.result.test["accuracy"] > 0.3  # of ten classes


def test_the_scores_are_those_of_the_kept_predictions(
    first: Any, kept: Callable[[str], Any]
) -> None:
    table = kept(first.name).table("predictions.parquet")
    names = [column.removeprefix("p_") for column in table if column.startswith("p_")]
    table["said"] = [names[number] for number in probabilities(table).argmax(axis=1)]
    table["right"] = table["said"] == table["label"]
    for split, scores in (("val", first.result.val), ("test", first.result.test)):
        rows = table[table["split"] == split]
        assert scores["accuracy"] == pytest.approx(rows["right"].mean())
        recalls = rows.groupby("label")["right"].mean()
        assert scores["balanced_accuracy"] == pytest.approx(recalls.mean())
        assert kept(first.name).run.metrics[f"{split}/accuracy"] == scores["accuracy"]


def test_names_of_any_kind_go_through_the_whole_run(first: Any, stored: pd.DataFrame) -> None:
    assert first.odd_class in set(stored["label"])
    assert f"p_{first.odd_class}" in stored.columns
    assert (first.out / "mlflow.db").is_file()


def test_everything_worth_keeping_is_among_the_artifacts(
    first: Any, kept: Callable[[str], Any]
) -> None:
    for path in (
        "recipe.json", "predictions.parquet", "data/split.parquet", "data/counts.csv",
        "scores/val.csv", "scores/test.csv", "scores/test_per_class.csv",
        "figures/learning_curves.png", "figures/views.png", "figures/test_confusion.png",
        "figures/test_reliability.png", "figures/test_mistakes.png",
    ):  # fmt: skip
        assert kept(first.name).file(path).stat().st_size > 0
    assert kept(first.name).run.record is None  # all of it is delivered


def test_predict_gives_the_stored_probabilities_back(
    first: Any, stored: pd.DataFrame, command_line: Command, tmp_path: Path
) -> None:
    files = by_content(first.data)
    said = tmp_path / "said é.parquet"
    typed = command_line(
        "predict", first.name, *(files[key] for key in stored.index),
        "--store", first.out, "--out", said,
    )  # fmt: skip
    assert typed.code == 0
    table = pd.read_parquet(said)
    assert (table["error"] == "").all()
    np.testing.assert_allclose(probabilities(table), probabilities(stored), rtol=0, atol=1e-5)


def test_a_fresh_process_predicts_the_same_by_both_doors(
    first: Any, stored: pd.DataFrame, tmp_path: Path
) -> None:
    client = connect(first.store)
    experiment = client.get_experiment_by_name(first.task).experiment_id
    model = find_model(client, experiment, first.result.run_id)
    files = by_content(first.data)
    arguments = [first.name, f"models:/{model.model_id}", tmp_path]
    subprocess.run(
        [sys.executable, "-c", _FRESH, *arguments, *(files[key] for key in stored.index)],
        env=os.environ
        | {
            "MLFLOW_TRACKING_URI": first.store.uri,
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        },
        cwd=tmp_path,
        check=True,
    )
    loaded = pd.read_parquet(tmp_path / "loaded.parquet")
    served = pd.read_parquet(tmp_path / "served.parquet")
    np.testing.assert_allclose(probabilities(loaded), probabilities(stored), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        np.stack(served["probabilities"]), probabilities(loaded), rtol=0, atol=1e-6
    )
    assert served["prediction"].tolist() == loaded["prediction"].tolist()


def test_evaluate_scores_what_predict_says(
    first: Any, command_line: Command, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    judged = command_line(
        "evaluate", first.name, "--data", first.data, "--store", first.out, "--out", out
    )
    assert judged.code == 0
    assert "judged     90 rows" in judged.out
    said = tmp_path / "said.csv"
    command_line("predict", first.name, first.data, "--store", first.out, "--out", said)
    table = pd.read_csv(said)
    labels = table["image"].map(lambda image: Path(image).parent.name)
    scores = pd.read_csv(out).set_index("score")
    assert scores.loc["accuracy", "value"] == pytest.approx((table["prediction"] == labels).mean())
    assert scores.loc["accuracy", "low"] < scores.loc["accuracy", "high"]


def test_evaluate_refuses_classes_that_the_run_does_not_know(
    first: Any, command_line: Command, class_folders: Callable[..., Path]
) -> None:
    other = class_folders({"Highway": 2, "airport": 2})
    typed = command_line("evaluate", first.name, "--data", other, "--store", first.out)
    assert typed.code == 2
    assert "has class(es) ['airport'] that the run does not know; it knows" in typed.err


def test_runs_lists_it_with_its_scores(first: Any, command_line: Command) -> None:
    typed = command_line("runs", "--store", first.out, "--filter", f"name={first.name}")
    assert typed.code == 0
    (line,) = [line for line in typed.out.splitlines() if line.startswith(f"{first.name}  ")]
    for scores in (first.result.val, first.result.test):
        value, low, high = (scores[f"balanced_accuracy{end}"] for end in ("", "_low", "_high"))
        assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in line
    assert "finished" in line
    assert first.result.run_id[:8] in line


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_an_unknown_run_is_refused_with_the_nearest_name(
    first: Any, command_line: Command, command: str
) -> None:
    arguments = [first.data] if command == "predict" else ["--data", first.data]
    typed = command_line(command, "frist é run", *arguments, "--store", first.out)
    assert typed.code == 2
    assert typed.err.startswith("error      no run 'frist é run' in ")
    assert f"did you mean {first.name}" in typed.err


def test_a_store_without_runs_says_so(first: Any, command_line: Command, tmp_path: Path) -> None:
    typed = command_line("predict", first.name, first.data, "--store", tmp_path / "other")
    assert typed.code == 2
    assert "holds none yet" in typed.err
    assert not (tmp_path / "other").exists()
