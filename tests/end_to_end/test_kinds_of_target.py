"""Several labels, grades and identities, from a table to scores and back."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import transfer
from transfer.logbook import flat
from transfer.progress import Silent
from transfer.shipping.evaluation import evaluate

pytestmark = pytest.mark.slow

COUNT = 72
COLOURS = {"red": 0, "green": 1, "blue": 2}
GRADES = ("0 dark", "1 dim", "2 light", "10 bright")
PERSONS = tuple(f"person {number}" for number in range(6))
LABELS = {
    "multi_label": ["|".join(c for c, k in COLOURS.items() if n >> k & 1) for n in range(8)],
    "ordinal": GRADES,
    "identity": PERSONS,
}
HEADLINES = {"multi_label": "macro_ap", "ordinal": "quadratic_kappa", "identity": "rank_1"}
BY_CHANCE = {"multi_label": 0.5, "ordinal": 0.0, "identity": 1 / len(PERSONS)}


def light_of(label: str, labels: Sequence[str]) -> np.ndarray:
    """Return the mean of red, green and blue that pictures with a label have."""
    if set(label.split("|")) <= {"", *COLOURS}:
        return np.array([180.0 if colour in label else 60.0 for colour in COLOURS])
    number = labels.index(label)
    if labels is GRADES:
        return np.full(3, 40.0 + 55 * number)
    return np.random.default_rng(number).uniform(30, 220, 3)


def draw_table(folder: Path, labels: Sequence[str]) -> Path:
    """Write noise with a tint that tells the label, if not surely, and the table with all labels.

    Of answers that are all right there would be no interval.
    """
    rng, rows = np.random.default_rng(0), []
    for number in range(COUNT):
        label = labels[number % len(labels)]
        tint = rng.normal(light_of(label, labels), 60)
        pixels = rng.normal(tint, 40, (40, 40, 3))
        name = f"picture {number}.png"
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / name)
        rows.append((name, label))
    table = folder / "all.csv"
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(table, index=False)
    return table


def by_content(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by the digest that names a row."""
    return {
        hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest(): file
        for file in sorted(folder.glob("*.png"))
    }


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table.filter(regex="^p_").to_numpy()


@pytest.mark.parametrize("kind", ["multi_label", "ordinal", "identity"])
def test_a_kind_of_target_goes_from_labels_to_scores_and_back(
    first: Any, kept: Callable[[str], Any], tmp_path: Path, kind: str
) -> None:
    data = draw_table(tmp_path, LABELS[kind])
    result = transfer.fit(
        "labelled_images",
        data,
        weights="starter",
        strategy="lp-ft",  # whose first half is the probe
        epochs=2,
        size=32,
        batch_size=16,
        settings={"task": {"target": kind}, "split": {"val": 0.3, "test": 0.3}},
        name=kind,
        out=first.out,
    )
    assert result.status == "FINISHED"
    headline = HEADLINES[kind]
    for scores in (result.val, result.test):
        value, low, high = (scores[f"{headline}{end}"] for end in ("", "_low", "_high"))
        assert BY_CHANCE[kind] < value
        assert low <= value <= high
        assert low < high

    run = kept(result.name)
    assert run.run.metrics[f"test/{headline}"] == result.test[headline]
    stored = run.table("predictions.parquet")
    assert set(stored["split"]) == {"val", "test"}
    pictures = by_content(tmp_path)
    predictor = transfer.load(result.run_id, store=first.out)
    said = predictor.predict([pictures[key] for key in stored["key"]])
    np.testing.assert_allclose(probabilities(said), probabilities(stored), rtol=0, atol=1e-5)
    sums = probabilities(said).sum(axis=1)
    assert np.allclose(sums, 1, atol=1e-5) == (kind != "multi_label")

    test = stored[stored["split"] == "test"]
    rows = {"image": [pictures[key].name for key in test["key"]], "label": test["label"]}
    pd.DataFrame(rows).to_csv(tmp_path / "test.csv", index=False)
    task = transfer.load_task("labelled_images")
    found = evaluate(predictor, task, tmp_path / "test.csv", Silent())
    assert found.rows == len(test)
    assert flat(found.scores) == pytest.approx(result.test, abs=1e-4, nan_ok=True)


def test_labels_are_said_from_the_thresholds_that_val_gave(
    first: Any, kept: Callable[[str], Any], tmp_path: Path
) -> None:
    data = draw_table(tmp_path, LABELS["multi_label"])
    result = transfer.fit(
        "labelled_images",
        data,
        weights="starter",
        strategy="probe",
        size=32,
        settings={"task": {"target": "multi_label"}, "split": {"val": 0.3, "test": 0.3}},
        name="thresholds",
        out=first.out,
    )
    table = pd.read_csv(kept(result.name).file("decisions/thresholds.csv"))
    assert table["label"].tolist() == sorted(COLOURS)
    assert set(table["fitted_on"]) == {"val"}
    pictures = sorted(tmp_path.glob("*.png"))
    said = transfer.load(result.name, store=first.out).predict(pictures)
    thresholds = dict(zip(table["label"], table["threshold"], strict=True))
    for row in said.to_dict("records"):
        over = [name for name in sorted(COLOURS) if row[f"p_{name}"] >= thresholds[name]]
        assert row["prediction"] == "|".join(over)
    assert "" in set(said["prediction"])
    assert any("|" in label for label in said["prediction"])
