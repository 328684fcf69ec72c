"""What a model says, by its kind of target and over views."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from transfer.errors import BrokenPromiseError
from transfer.images.framing import frame
from transfer.images.pictures import read_picture
from transfer.network.backbone import Network
from transfer.network.objective import OBJECTIVES
from transfer.pixels.views import fixed_view
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.samples.predictions import Thresholds
from transfer.samples.target import TargetKind
from transfer.scoring.metrics import SCORECARDS
from transfer.shipping.evaluation import evaluate
from transfer.shipping.model_files import ModelCard, write_model
from transfer.shipping.predictor import Predictor

MakeCard = Callable[..., ModelCard]


@pytest.fixture
def of_kind(
    network: Network, make_card: MakeCard, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Predictor]:
    """Make the predictor of another kind of target, by sigmoids where there are several labels."""

    def make(kind: TargetKind, views: int = 0, **about: object) -> Predictor:
        to_probabilities = torch.sigmoid if kind is TargetKind.MULTI_LABEL else softmax
        objective = replace(OBJECTIVES[TargetKind.SINGLE_LABEL], probabilities=to_probabilities)
        monkeypatch.setitem(OBJECTIVES, kind, objective)
        task = load_task("labelled_images")
        recipe = task.defaults().model_copy(update={"size": 32, "test_views": views})
        recipe = recipe.with_task(task.settings.model_copy(update={"target": kind}))
        card = make_card(target=kind.value, recipe=recipe.model_dump(mode="json"), **about)
        return Predictor(network, card, recipe, task)

    return make


def softmax(logits: torch.Tensor) -> torch.Tensor:
    return logits.softmax(dim=1)


def test_labels_over_their_thresholds_are_joined(
    of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    plain = of_kind(TargetKind.MULTI_LABEL).predict(files)
    columns = plain[["p_cat", "p_dog", "p_newt"]].to_numpy()
    limits = tuple(np.median(columns, axis=0).tolist())

    table = of_kind(TargetKind.MULTI_LABEL, thresholds=Thresholds(limits, "val")).predict(
        [*files, "gone.png"]
    )

    expected = [
        "|".join(name for name, p, limit in zip(("cat", "dog", "newt"), row, limits, strict=True)
                 if p >= np.float32(limit))
        for row in columns
    ]  # fmt: skip
    assert table["prediction"].tolist()[:-1] == expected
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(table["probability"][:-1], columns.max(axis=1))
    assert pd.isna(table["prediction"].iloc[-1])
    assert table["error"].iloc[-1] != ""


def test_a_grade_is_said_with_its_own_probability(
    of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    table = of_kind(TargetKind.ORDINAL).predict(files)
    for _, row in table.iterrows():
        grades = row[["p_cat", "p_dog", "p_newt"]].astype(float)
        median = int((grades.cumsum() >= 0.5).argmax())
        assert row["prediction"] == ("cat", "dog", "newt")[median]
        assert row["probability"] == pytest.approx(grades.iloc[median])


@pytest.mark.parametrize("kind", TargetKind)
def test_every_kind_of_target_can_be_judged_on_other_data(
    kind: TargetKind, of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    labels = ["dog", "cat", "dog", "cat", "cat"]
    lines = [f"{path.name},{label}" for path, label in zip(files, labels, strict=True)]
    table = files[0].parent / "truth.csv"
    table.write_text("\n".join(["image,label", *lines]))
    predictor = of_kind(kind)
    settings = predictor.recipe.task
    if kind is TargetKind.ORDINAL:
        settings = settings.model_copy(update={"grades": ("cat", "dog", "newt")})
        predictor.recipe = predictor.recipe.with_task(settings)

    found = evaluate(predictor, load_task("labelled_images"), table, Silent())

    assert found.predictions.kind is kind
    assert (found.predictions.embeddings is not None) == (kind is TargetKind.IDENTITY)
    assert SCORECARDS[kind].headline in found.scores
    assert len(found.per_class) == 3


def test_people_whom_the_network_did_not_learn_are_judged_by_comparing_pictures(
    of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    labels = ["ann", "ann", "dog", "bob", "bob"]
    lines = [f"{path.name},{label}" for path, label in zip(files, labels, strict=True)]
    table = files[0].parent / "people.csv"
    table.write_text("\n".join(["image,label", *lines]))
    predictor = of_kind(TargetKind.IDENTITY)

    found = evaluate(predictor, load_task("labelled_images"), table, Silent())

    said = found.predictions
    assert said.classes == ("cat", "dog", "newt", "ann", "bob")
    assert [said.classes[number] for number in said.targets] == labels
    np.testing.assert_array_equal(said.probabilities[:, :3], predictor.answer(files).probabilities)
    assert not said.probabilities[:, 3:].any()
    assert found.scores["rank_1"].value == _rank_1(said.embeddings, labels)


def _rank_1(embeddings: np.ndarray, labels: list[str]) -> float:
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T - 2 * np.eye(len(unit))
    judged = [row for row, label in enumerate(labels) if labels.count(label) > 1]
    return float(np.mean([labels[cosines[row].argmax()] == labels[row] for row in judged]))


def test_the_embeddings_of_an_identity_are_those_of_the_network(
    of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    predictor = of_kind(TargetKind.IDENTITY)

    answers = predictor.answer([*files, "gone.png"])

    pictures = [read_picture(path) for path in files]
    np.testing.assert_array_equal(answers.embeddings[:-1], predictor.embed(pictures))
    np.testing.assert_array_equal(answers.probabilities[:-1], predictor.predict_arrays(pictures))
    assert np.isnan(answers.embeddings[-1]).all()


@pytest.mark.parametrize("kind", TargetKind)
def test_an_answer_is_the_mean_over_the_plain_picture_and_its_views(
    kind: TargetKind, of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    predictor, plain = of_kind(kind, views=2), of_kind(kind)
    task, recipe = load_task("labelled_images"), predictor.recipe
    pictures = [frame(read_picture(path), 32, "crop") for path in files]
    seen = [pictures]
    for number in (1, 2):
        augmentation = task.augment(32, recipe.task)
        seen.append([fixed_view(augmentation, picture, number) for picture in pictures])

    answers = predictor.answer([*files, "gone.png"])

    expected = np.mean([plain.predict_arrays(each) for each in seen], axis=0)
    np.testing.assert_allclose(answers.probabilities[:-1], expected, atol=1e-6)
    assert np.abs(expected - plain.predict_arrays(pictures)).max() > 1e-3
    assert np.isnan(answers.probabilities[-1]).all()
    embedded = np.mean([plain.embed(each) for each in seen], axis=0)
    np.testing.assert_allclose(predictor.embed(pictures), embedded, atol=1e-5)
    if kind is TargetKind.IDENTITY:
        np.testing.assert_allclose(answers.embeddings[:-1], embedded, atol=1e-5)


def test_an_answer_over_views_does_not_depend_on_its_neighbours(
    of_kind: Callable[..., Predictor], files: list[Path]
) -> None:
    predictor = of_kind(TargetKind.SINGLE_LABEL, views=3)
    together = predictor.answer(files).probabilities
    alone = [predictor.answer([path]).probabilities[0] for path in files]
    backwards = predictor.predict_bytes([path.read_bytes() for path in reversed(files)])
    assert np.abs(together - alone).max() < 1e-6
    assert np.abs(together[::-1] - backwards[["p_cat", "p_dog", "p_newt"]].to_numpy()).max() < 1e-6


def test_a_task_that_is_gone_is_missed_where_its_views_are_averaged(
    tmp_path: Path, network: Network, make_card: MakeCard
) -> None:
    recipe = {**make_card().recipe, "test_views": 2}
    write_model(tmp_path / "views", network, make_card(task="gone", recipe=recipe))
    with pytest.raises(
        BrokenPromiseError, match=r"'gone', which draws the 2 view\(s\) it averages"
    ):
        Predictor.from_folder(tmp_path / "views")
