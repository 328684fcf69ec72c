"""The task from files to a stranger who is turned away."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import transfer
from tasks.face_recognition.samples import write_samples
from tasks.face_recognition.task import TASK
from transfer.errors import DataNotFoundError, ManifestError
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import open_store

SMALL = {"strategy": "probe", "size": 32, "weights": "starter"}


class Run(NamedTuple):
    """A finished run of people never seen, its data and its store."""

    result: Any
    data: Path
    out: Path


def test_its_settings_travel_in_its_recipe_with_a_meaning_each() -> None:
    recipe = TASK.defaults()
    assert {name for name in recipe.dotted() if name.startswith("task.")} >= {
        "task.use", "task.align", "task.enrolled",
        "task.flip", "task.light", "task.blur", "task.rotate", "task.shift",
    }  # fmt: skip
    assert all(recipe.meanings().values())


def test_faces_stay_out_of_the_store_unless_asked_for() -> None:
    assert TASK.sensitive
    assert TASK.notice


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Ten people: some learned from, the others for val, calibration and test."""
    place = tmp_path_factory.mktemp("faces")
    write_samples(place / "people", 160, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("TRANSFER_CACHE", str(place / "cache"))
        result = transfer.fit(
            "face_recognition",
            place / "people",
            **SMALL,
            settings={
                "task": {"use": "verification"},
                "split": {"val": 0.25, "calibration": 0.25, "test": 0.25},
            },
            name="unseen",
            out=place / "runs",
        )
    return Run(result, place / "people", place / "runs")


@pytest.fixture(autouse=True)
def _own_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "unseen" in request.fixturenames:
        out = request.getfixturevalue("unseen").out
        monkeypatch.setenv("TRANSFER_CACHE", str(out.parent / "cache"))
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.slow
def test_nobody_of_the_test_people_is_known_to_the_network(unseen: Run) -> None:
    assert unseen.result.status == "FINISHED"
    rows = transfer.rows_of("unseen", store=unseen.out).rows
    people = rows.groupby("split")["label"].unique()
    assert sum(len(names) for names in people) == 8
    predictor = transfer.load("unseen", store=unseen.out)
    assert predictor.classes == tuple(sorted(people["train"]))
    assert predictor.network.head.out_features == len(people["train"]) < 8
    said = unseen.result.said["test"]
    assert {said.classes[number] for number in said.targets} == set(people["test"])
    learned = np.isin(said.classes, people["train"])
    assert not said.probabilities[:, ~learned].any()
    np.testing.assert_allclose(said.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_people_are_told_apart_better_than_by_chance_and_not_perfectly(unseen: Run) -> None:
    assert 0.5 < unseen.result.test["auroc"] < 1
    assert 0 < unseen.result.test["eer"] < 0.5


@pytest.mark.slow
def test_no_picture_and_no_name_of_a_file_is_in_the_store(unseen: Run) -> None:
    kept = [path for path in unseen.out.rglob("*") if path.is_file()]
    assert not {path.name for path in kept} & {"views.png", "test_mistakes.png", "left_out.csv"}
    named = [
        path
        for path in kept
        if b"_0001.jpg" in path.read_bytes() or b"session_1" in path.read_bytes()
    ]
    assert named == []
    tables = [path for path in kept if path.suffix == ".parquet"]
    columns = {str(name) for path in tables for name in pd.read_parquet(path).columns}
    assert not columns & {"image", "session", "lefteye_x"}


@pytest.mark.slow
def test_people_whom_it_never_saw_can_be_evaluated(
    unseen: Run, tmp_path: Path, command_line: Callable[..., Any]
) -> None:
    write_samples(tmp_path / "others", 60, seed=9)
    for person in (tmp_path / "others").glob("person_*"):
        person.rename(person.with_name(f"other {person.name}"))
    landmarks = tmp_path / "others" / "landmarks.csv"
    landmarks.write_text(landmarks.read_text().replace("\nperson_", "\nother person_"))
    typed = command_line("evaluate", "unseen", "--data", tmp_path / "others", "--store", unseen.out)
    assert typed.code == 0, typed.err
    assert "judged     60 rows" in typed.out
    assert "auroc" in typed.out
    assert "not enough people" in typed.out


@pytest.mark.slow
def test_who_is_enrolled_is_named_and_a_stranger_is_not(
    unseen: Run, tmp_path: Path, command_line: Callable[..., Any]
) -> None:
    rows = transfer.rows_of("unseen", store=unseen.out).rows
    test_people = sorted(set(rows.loc[rows["split"] == "test", "label"]))
    landmarks = pd.read_csv(unseen.data / "landmarks.csv").set_index("image")

    def folder_of(name: str, images: list[str]) -> Path:
        for image in images:
            (tmp_path / name / image).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(unseen.data / image, tmp_path / name / image)
        landmarks.loc[images].to_csv(tmp_path / name / "landmarks.csv")
        return tmp_path / name

    of_person = {
        person: sorted(image for image in landmarks.index if image.startswith(f"{person}/"))
        for person in test_people
    }
    known = folder_of("known", [i for images in of_person.values() for i in images[:10]])
    asked = folder_of("asked", [i for images in of_person.values() for i in images[:10]])
    store = ("--store", unseen.out)

    refused = command_line("enrol", "unseen", known, "--out", tmp_path / "g", *store)
    assert refused.code == 2
    assert "2 people in 'calibration'" in refused.err
    assert not (tmp_path / "g").exists()

    enrolled = command_line(
        "enrol", "unseen", known, "--out", tmp_path / "g", "--fpir", 0.5, *store
    )
    assert enrolled.code == 0, enrolled.err
    assert f"{len(test_people)} people by {10 * len(test_people)} pictures, aligned" in enrolled.out
    table = tmp_path / "said.csv"
    found = command_line(
        "identify", "unseen", asked, "--gallery", tmp_path / "g", "--out", table, *store
    )
    assert found.code == 0, found.err
    said = pd.read_csv(table)
    assert len(said) == 10 * len(test_people)
    truth = said["image"].map(lambda image: Path(image).parts[-3])
    assert ((said["person"] == truth) | (said["person"] == "unknown")).mean() > 0.5
    assert (said["person"] == truth).any()

    strangers = rows[rows["split"] == "calibration"]["image"].tolist()
    lets_in = command_line(
        "identify", "unseen", folder_of("strangers", strangers), "--gallery", tmp_path / "g",
        "--out", table, *store,
    )  # fmt: skip
    assert lets_in.code == 0, lets_in.err
    assert (pd.read_csv(table)["person"] != "unknown").sum() == len(strangers) // 2


@pytest.mark.slow
def test_the_rows_of_a_run_are_found_again_where_they_are_now(unseen: Run, tmp_path: Path) -> None:
    shutil.copytree(unseen.data, tmp_path / "moved")
    (tmp_path / "moved" / "person_01" / "session_1" / "person_01_0001.jpg").unlink()
    rows = transfer.rows_of("unseen", store=unseen.out)
    moved = transfer.rows_of("unseen", store=unseen.out, data=tmp_path / "moved")
    split = dict(zip(rows.rows["key"], rows.rows["split"], strict=True))
    assert len(moved) == len(rows) - 1 == 159
    assert all(
        split[key] == name for key, name in zip(moved.rows["key"], moved.rows["split"], strict=True)
    )
    write_samples(tmp_path / "others", 20, seed=5)
    with pytest.raises(ManifestError, match="holds none of the rows of run 'unseen'"):
        transfer.rows_of("unseen", store=unseen.out, data=tmp_path / "others")
    unseen.data.rename(unseen.data.with_name("gone"))
    try:
        with pytest.raises(DataNotFoundError, match="are not where it read them"):
            transfer.rows_of("unseen", store=unseen.out)
    finally:
        unseen.data.with_name("gone").rename(unseen.data)


@pytest.mark.slow
def test_the_digest_names_the_network(unseen: Run, tmp_path: Path) -> None:
    store = open_store(unseen.out)
    folder = model_folder(store, find_run(store, "unseen"))
    first, again = (transfer.Predictor.from_folder(folder) for _ in range(2))
    assert first.digest == again.digest
    weight = next(first.network.backbone.parameters())
    with_another = transfer.Predictor.from_folder(folder)
    next(with_another.network.backbone.parameters()).data = weight.data + 1e-3
    assert with_another.digest != first.digest
    larger = transfer.Predictor.from_folder(folder)
    larger.recipe = larger.recipe.model_copy(update={"size": 40})
    assert larger.digest != first.digest
