"""What a run writes down about itself, and under which names."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from transfer.finetuning.ending import Ended, Ending
from transfer.finetuning.training import EpochLog
from transfer.logbook import Logbook, flat
from transfer.overlay import Settled
from transfer.plan import Plan
from transfer.plugin.judge import Judge
from transfer.plugin.task import Task
from transfer.recipe import Recipe
from transfer.samples.inspection import Broken
from transfer.samples.manifest import Manifest, Row
from transfer.samples.predictions import Decisions, Predictions, Thresholds
from transfer.samples.split import split_counts
from transfer.samples.target import TargetKind
from transfer.scoring.intervals import Score

SPLITS = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
KEYS = [f"{number:016x}" for number in range(12)]
RECIPE = Recipe(backbone="resnet18", lr=None, seed=3)
Open = Callable[..., Logbook]


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[Any, ...]]:
    """Draw nothing; keep what was to be drawn, by the figure's function."""
    asked: dict[str, tuple[Any, ...]] = {}
    for name in ("average_precisions", "confusion_matrix", "learning_curves", "picture_grid",
                 "reliability_diagram"):  # fmt: skip

        def draw(*what: object, name: str = name, **_: object) -> bytes:
            asked[name] = what
            return name.encode()

        monkeypatch.setattr(f"transfer.logbook.{name}", draw)
    return asked


@pytest.fixture
def plan() -> Plan:
    rows = pd.DataFrame(
        {
            "image": [f"{key}.png" for key in KEYS],
            "label": ["cat", "dog", "owl"] * 4,
            "split": SPLITS,
            **dict.fromkeys(("key", "content", "pixels"), KEYS),
        }
    )
    manifest = Manifest(Path("pets"), rows, ("cat", "dog", "owl"))
    task: Any = Task(name="pets", summary="", read_manifest=print, augment=print, headline="kappa")
    broken = (Broken("cat/7.png", "is empty"),)
    return Plan(task, Settled(RECIPE), Path("some/pets"), manifest, broken, "my pets")


@pytest.fixture
def logbook(plan: Plan, recorder: Any) -> Open:
    return lambda *, log_pictures=True: Logbook(plan, recorder, log_pictures=log_pictures)


def said(probabilities: Sequence[Sequence[float]], targets: Sequence[int]) -> Predictions:
    return Predictions(
        classes=("cat", "dog", "owl"),
        keys=np.array([f"key{number}" for number in range(len(targets))]),
        groups=np.arange(len(targets)),
        targets=np.array(targets),
        probabilities=np.array(probabilities, dtype=np.float32),
    )


class Drawer:
    """Pictures whose pixels are their number."""

    def __init__(self, plan: Plan) -> None:
        self.rows = plan.manifest.all_rows()

    def __getitem__(self, number: int) -> np.ndarray:
        return np.full((2, 2, 3), number, dtype=np.uint8)


def table(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content))


def test_a_run_opens_with_its_settings_its_data_and_what_it_runs_on(
    plan: Plan, logbook: Open, recorder: Any
) -> None:
    assert logbook().open({"transfer.weights": "starter"}) == "recorded"
    assert (recorder.run.experiment, recorder.run.name) == ("pets", "my pets")
    params = recorder.run.params
    assert params.keys() == RECIPE.dotted().keys()
    shown = [params[name] for name in ("backbone", "lr", "seed", "split.val", "probe.l2")]
    assert shown == ["resnet18", "null", "3", "0.15", "[0.0001, 0.001, 0.01, 0.1, 1.0]"]
    tags = recorder.run.tags
    assert tags["transfer.task"] == "pets"
    assert tags["transfer.headline"] == "kappa"
    assert tags["transfer.weights"] == "starter"
    assert tags["transfer.audit"] == "clean"
    assert tags["transfer.data_digest"] == plan.manifest.digest()
    assert tags["transfer.test_digest"] == plan.manifest.digest("test")
    assert "version.torch" in tags


def test_each_split_is_an_input_with_its_own_digest(
    plan: Plan, logbook: Open, recorder: Any
) -> None:
    logbook().open({})
    assert [(data.context, data.rows) for data in recorder.inputs] == [
        ("train", 6), ("val", 3), ("test", 3),
    ]  # fmt: skip
    for data in recorder.inputs:
        assert data.digest == plan.manifest.digest(data.context)
        assert (data.name, data.classes) == ("pets", 3)
        assert data.source == str(Path("some/pets").absolute())


def test_the_recipe_and_the_split_are_kept_so_that_they_can_be_used_again(
    logbook: Open, recorder: Any
) -> None:
    logbook().open({})
    assert Recipe(**json.loads(recorder.files["recipe.json"])) == RECIPE
    split = pd.read_parquet(io.BytesIO(recorder.files["data/split.parquet"]))
    assert dict(zip(split["key"], split["split"], strict=True)) == dict(
        zip(KEYS, SPLITS, strict=True)
    )


def test_counts_and_what_was_left_out_are_kept(plan: Plan, logbook: Open, recorder: Any) -> None:
    logbook().open({})
    counts = table(recorder.files["data/counts.csv"]).set_index("class")
    assert counts.to_dict() == split_counts(plan.manifest).to_dict()
    left_out = table(recorder.files["data/left_out.csv"])
    assert left_out.to_dict("records") == [{"image": "cat/7.png", "reason": "is empty"}]


def test_without_pictures_neither_pictures_nor_their_names_are_kept(
    plan: Plan, logbook: Open, recorder: Any
) -> None:
    book = logbook(log_pictures=False)
    book.open({})
    book.views(Drawer(plan), lambda *_: pytest.fail("drawn"), plan.manifest.numbers("train"))
    book.mistakes(Drawer(plan), plan.manifest.numbers("test"), said([[1, 0, 0]] * 3, [0, 1, 2]))
    assert sorted(recorder.files) == ["data/counts.csv", "data/split.parquet", "recipe.json"]
    text = b"".join(recorder.files.values())
    assert b".png" not in text


def test_an_epoch_is_numbers_at_its_step_and_the_probe_has_no_rate(
    logbook: Open, recorder: Any
) -> None:
    book = logbook()
    book.epoch(EpochLog(0, 0.5, 0.0, 400.0, {"kappa": 0.1}, improved=True))
    book.epoch(EpochLog(1, 0.4, 1e-3, 90.0, {"kappa": 0.2}, improved=True))
    assert recorder.numbers == {
        ("train/loss", 0): 0.5, ("train/images_per_second", 0): 400.0, ("epoch/kappa", 0): 0.1,
        ("train/loss", 1): 0.4, ("train/images_per_second", 1): 90.0, ("epoch/kappa", 1): 0.2,
        ("train/lr", 1): 1e-3,
    }  # fmt: skip


def test_the_headline_is_the_first_number_that_pages_compare_runs_by(
    logbook: Open, recorder: Any
) -> None:
    scores = {"accuracy": 0.3, "balanced_accuracy": 0.2, "kappa": 0.1}
    logbook().epoch(EpochLog(1, 0.4, 1e-3, 90.0, scores, improved=True))
    assert next(iter(recorder.numbers)) == ("epoch/kappa", 1)


def test_curves_show_every_epoch_and_the_kept_one(
    logbook: Open, recorder: Any, drawn: dict[str, tuple[Any, ...]]
) -> None:
    book = logbook()
    for epoch in range(3):
        book.epoch(EpochLog(epoch, 1 - epoch / 10, 0.1, 9.0, {"kappa": epoch / 5}, improved=True))
    book.curves(2, Ended(Ending.COMPLETED))
    history, headline, kept = drawn["learning_curves"]
    assert (headline, kept) == ("kappa", 2)
    assert history["loss"].tolist() == [1.0, 0.9, 0.8]
    assert history["kappa"].tolist() == [0.0, 0.2, 0.4]
    assert recorder.tags == {"transfer.kept_epoch": "2"}
    assert "figures/learning_curves.png" in recorder.files


def test_scores_are_numbers_a_table_and_figures(logbook: Open, recorder: Any) -> None:
    answers = said([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], [0, 1, 2])
    scores = {
        "accuracy": Score(0.75, 0.5, 0.9, ""),
        "ece": Score(0.1, None, None, "no interval"),
    }
    logbook().scores("test", answers, scores)
    assert recorder.numbers == {
        ("test/accuracy", 0): 0.75, ("test/accuracy_low", 0): 0.5, ("test/accuracy_high", 0): 0.9,
        ("test/ece", 0): 0.1,
    }  # fmt: skip
    kept = table(recorder.files["scores/test.csv"]).set_index("score")
    assert kept.loc["ece", "note"] == "no interval"
    per_class = table(recorder.files["scores/test_per_class.csv"])
    assert len(per_class) == 3
    figures = {"figures/test_confusion.png", "figures/test_reliability.png"}
    assert figures <= recorder.files.keys()


def test_without_a_calibration_error_there_is_no_diagram_of_it(
    logbook: Open, recorder: Any
) -> None:
    logbook().scores("val", said([[0.8, 0.1, 0.1]], [0]), {"accuracy": Score(1, None, None, "")})
    assert "figures/val_reliability.png" not in recorder.files


def test_every_probability_is_kept_beside_what_is_true(logbook: Open, recorder: Any) -> None:
    val = said([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], [0, 2])
    test = said([[0.1, 0.1, 0.8]], [2])
    logbook().predictions({"val": val, "test": test})
    kept = pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))
    assert kept.columns.tolist() == ["key", "split", "group", "label", "p_cat", "p_dog", "p_owl"]
    assert kept["split"].tolist() == ["val", "val", "test"]
    assert kept["label"].tolist() == ["cat", "owl", "owl"]
    np.testing.assert_array_equal(
        kept[["p_cat", "p_dog", "p_owl"]], [*val.probabilities, *test.probabilities]
    )


def test_rows_are_shown_beside_their_training_views(
    plan: Plan, logbook: Open, drawn: dict[str, tuple[Any, ...]]
) -> None:
    def views(pixels: np.ndarray, row: Row, epoch: int, number: int) -> np.ndarray:
        assert pixels[0, 0, 0] == number
        assert row.path.stem == KEYS[number]
        return pixels + 10 * (epoch + 1)

    logbook().views(Drawer(plan), views, plan.manifest.numbers("train"))
    shown, captions, _ = drawn["picture_grid"]
    assert len(shown) == len(captions) == 4 * 8
    assert shown[8][0, 0, 0] + 10 == shown[9][0, 0, 0]
    assert captions[8:10] == [plan.manifest.rows["label"][shown[8][0, 0, 0]], "view 1"]


def test_the_surest_mistakes_are_shown_first(
    plan: Plan, logbook: Open, recorder: Any, drawn: dict[str, tuple[Any, ...]]
) -> None:
    answers = said([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0, 0.3, 0.7]], [1, 2, 2])
    logbook().mistakes(Drawer(plan), np.array([9, 10, 11]), answers)
    shown, captions, title = drawn["picture_grid"]
    assert [picture[0, 0, 0] for picture in shown] == [10, 9]
    assert captions == ["owl\nsaid cat 0.90", "dog\nsaid cat 0.50"]
    assert title == "the surest of 2 mistakes among 3 test rows"
    assert "figures/test_mistakes.png" in recorder.files


def test_no_mistakes_make_no_picture(plan: Plan, logbook: Open, recorder: Any) -> None:
    logbook().mistakes(Drawer(plan), np.array([9]), said([[0, 0.3, 0.7]], [2]))
    assert recorder.files == {}


def test_flat_scores_have_ends_only_where_there_is_an_interval() -> None:
    scores = {"kappa": Score(0.5, 0.0, 0.75, ""), "ece": Score(0.1, None, None, "none")}
    expected = {"val/kappa": 0.5, "val/kappa_low": 0.0, "val/kappa_high": 0.75, "val/ece": 0.1}
    assert flat(scores, "val/") == expected


def test_several_labels_are_kept_as_one_text_with_their_thresholds_and_figures(
    plan: Plan, logbook: Open, recorder: Any, drawn: dict[str, tuple[Any, ...]]
) -> None:
    answers = replace(
        said([[0.8, 0.6, 0.1], [0.2, 0.7, 0.1], [0.6, 0.3, 0.1]], [0, 1, 2]),
        targets=np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]], dtype=np.float32),
        kind=TargetKind.MULTI_LABEL,
        thresholds=Thresholds((0.5, 0.65, 0.05), "val"),
    )
    book = logbook()
    book.decisions(answers)
    book.predictions({"val": answers})
    book.scores("val", answers, {"macro_ap": Score(0.75, 0.5, 0.9, "")})
    book.mistakes(Drawer(plan), np.array([9, 10, 11]), answers)

    kept = table(recorder.files["decisions/thresholds.csv"])
    assert kept.to_dict("list") == {
        "label": ["cat", "dog", "owl"], "threshold": [0.5, 0.65, 0.05], "fitted_on": ["val"] * 3,
    }  # fmt: skip
    assert recorder.tags["transfer.thresholds"] == "fitted on val"
    labels = pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))["label"]
    assert labels.tolist() == ["cat|dog", "", "cat|owl"]
    assert "figures/val_labels.png" in recorder.files
    assert "figures/val_confusion.png" not in recorder.files
    _, captions, _ = drawn["picture_grid"]
    assert captions == ["none\nsaid dog|owl 0.70", "cat|dog\nsaid cat|owl 0.40"]


def test_what_was_not_decided_is_not_kept(logbook: Open, recorder: Any) -> None:
    logbook().decisions(said([[0.8, 0.1, 0.1]], [0]))
    assert not [name for name in recorder.files if name.startswith("decisions/")]


def test_decisions_of_a_domain_are_kept_with_the_rows_they_were_made_on(
    logbook: Open, recorder: Any
) -> None:
    decisions = Decisions({"low": 0.25, "high": 0.75}, "calibration")
    logbook().decisions(replace(said([[0.8, 0.1, 0.1]], [0]), decisions=decisions))
    kept = table(recorder.files["decisions/decisions.csv"])
    assert kept.to_dict("list") == {
        "decision": ["low", "high"], "value": [0.25, 0.75], "fitted_on": ["calibration"] * 2,
    }  # fmt: skip
    assert recorder.tags["transfer.decisions"] == "fitted on calibration"


def test_what_a_domain_draws_is_kept_by_split(logbook: Open, recorder: Any) -> None:
    logbook().drawings("test", {"roc": Figure()})
    assert recorder.files["figures/test_roc.png"].startswith(b"\x89PNG")


def test_without_a_headline_of_its_own_a_task_takes_that_of_its_target(plan: Plan) -> None:
    assert plan.headline == "kappa"
    unset = replace(plan, task=replace(plan.task, headline=None))
    assert unset.headline == "balanced_accuracy"


def test_a_judge_may_name_the_headline_of_its_settings(plan: Plan) -> None:
    def judging(headline: str | None) -> Plan:
        judge = Judge(scores=lambda said, weights: {}, headline=headline)
        return replace(plan, task=replace(plan.task, judge=lambda settings: judge))

    assert judging("mine").headline == "mine"
    assert judging(None).headline == "kappa"


def test_persons_are_too_many_for_a_confusion_matrix(logbook: Open, recorder: Any) -> None:
    answers = said([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]], [0, 0])
    compared = replace(answers, kind=TargetKind.IDENTITY, embeddings=answers.probabilities)
    logbook().scores("val", compared, {"rank_1": Score(1.0, None, None, "")})
    assert not [name for name in recorder.files if name.startswith("figures/")]
    assert "rank_1" in table(recorder.files["scores/val_per_class.csv"])


def test_the_card_of_a_run_is_where_pages_show_it(logbook: Open, recorder: Any) -> None:
    opened = logbook()
    opened.open({})
    opened.card({"val": {"kappa": Score(0.5, None, None, "few")}}, ended="completed", epoch=1)
    assert recorder.tags["mlflow.note.content"].startswith("kappa 0.500 on val")
    assert recorder.files["card.md"].decode() == recorder.tags["mlflow.note.content"]
