from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import transfer
from tasks.medical_imaging.task import TASK
from transfer.experiment import RunResult
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.progress import Silent

PATTERN = r"(?P<patient>p\d+)_"


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Write 240 films of 80 patients in class folders, and an official split by patient."""
    rng, rows = np.random.default_rng(0), []
    for patient in range(80):
        label = ("NORMAL", "PNEUMONIA")[patient % 2]
        (tmp_path / label).mkdir(exist_ok=True)
        for film in range(3):
            pixels = rng.integers(0, 160, (24, 30), np.uint8)
            if patient % 2:
                pixels[6:14, 6:14] += 40
            image = f"{label}/p{patient}_{film}.png"
            Image.fromarray(pixels).save(tmp_path / image)
            split = "test" if patient < 12 else "val" if patient < 24 else "train"
            rows.append({"image": image, "label": label, "split": split})
    table = pd.DataFrame(rows)
    table.to_csv(tmp_path / "official.csv", index=False)
    table.drop(columns="split").to_csv(tmp_path / "films.csv", index=False)
    return tmp_path


def plan_of(data: Path, **changes: object) -> Plan:
    own = {"weights": "starter", "backbone": "resnet10t", "size": 32}
    layers = [Layer("test", {**own, "task": {"patient_pattern": PATTERN}, **changes})]
    return make_plan(TASK, data, layers, find_model=None, progress=Silent())


def rows_of(plan: Plan) -> pd.DataFrame:
    return plan.manifest.rows.assign(
        patient=plan.manifest.rows["image"].str.extract(PATTERN, expand=False)
    )


def test_a_tenth_of_the_rows_is_kept_for_calibration_and_no_patient_is_divided(
    films: Path, own_caches: None
) -> None:
    rows = rows_of(plan_of(films / "films.csv"))
    assert 20 <= (rows["split"] == "calibration").sum() <= 28
    assert len(rows[["patient", "split"]].drop_duplicates()) == 80


def test_an_official_split_stands_and_train_patients_calibrate(
    films: Path, own_caches: None
) -> None:
    official = pd.read_csv(films / "official.csv").set_index("image")["split"]
    rows = rows_of(plan_of(films / "official.csv"))
    given = rows["image"].map(official)
    for split in ("val", "test"):
        assert set(rows["image"][rows["split"] == split]) == set(rows["image"][given == split])
    calibration = rows[rows["split"] == "calibration"]
    assert (given[calibration.index] == "train").all()
    # 10 to 60 of the rows, as without an official split: a seventh of the 168 that were train.
    assert len(calibration) == 24
    assert len(rows[["patient", "split"]].drop_duplicates()) == 80


def test_without_a_share_the_train_rows_stay_what_they_are(films: Path, own_caches: None) -> None:
    rows = rows_of(plan_of(films / "official.csv", split={"calibration": 0.0}))
    assert set(rows["split"]) == {"train", "val", "test"}
    assert (rows["split"] == "train").sum() == 168


def test_a_film_is_never_cut_and_probabilities_keep_the_frequencies() -> None:
    recipe = TASK.defaults()
    assert recipe.framing == "pad"
    assert recipe.training.balance == "none"
    assert recipe.task.flip is False
    assert all(recipe.meanings().values())


@pytest.fixture
def result(films: Path, own_caches: None, tmp_path: Path) -> RunResult:
    settings = {"task": {"patient_pattern": PATTERN}, "machine": {"threads": 1}}
    return transfer.fit(
        "medical_imaging", films / "films.csv", strategy="probe", weights="starter", size=32,
        out=tmp_path / "runs", settings=settings,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_is_judged_by_patient_warns_and_keeps_no_picture_and_no_file_name(
    result: RunResult, films: Path, tmp_path: Path
) -> None:
    assert result.status == "FINISHED"
    assert result.notice == TASK.notice != ""
    assert 0.5 < result.test["auroc"] <= 1
    assert "patient/at_specificity_90/sensitivity" in result.test
    kept = [file for file in (tmp_path / "runs").rglob("*") if file.is_file()]
    names = {file.name for file in kept}
    assert {"test_roc.png", "test_precision_recall.png", "test_probability.png"} <= names
    assert "decisions.csv" in names
    assert not {"views.png", "test_mistakes.png", "left_out.csv"} & names
    named = [file for file in kept if b"p13_0" in file.read_bytes()]
    assert named == []
