"""One run, top to bottom, on a handful of pictures and a tiny network."""

import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from transfer.cache.folder import clear, folder_of
from transfer.errors import RecipeError
from transfer.experiment import RunResult
from transfer.images.framing import frame
from transfer.images.pictures import Pixels, read_picture
from transfer.network.backbone import build_network
from transfer.network.pretrained import Weights
from transfer.pixels.pixel_store import PixelStore
from transfer.plan import Plan
from transfer.plugin.judge import Judge
from transfer.plugin.task import Task
from transfer.progress import Silent
from transfer.samples.manifest import Row
from transfer.samples.predictions import Predictions
from transfer.settings import TaskSettings
from transfer.shipping.evaluation import evaluate
from transfer.shipping.predictor import Predictor

CarryOut = Callable[..., RunResult]
pytestmark = pytest.mark.usefixtures("own_caches", "no_figures")


def kept_predictions(recorder: Any) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))


def kept_model(recorder: Any, place: Path) -> Path:
    folder = place / "model"
    folder.mkdir()
    for name, content in recorder.model.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_run_is_scored_on_val_and_once_on_test(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    plan = planned()
    result = carry_out(plan, recorder)
    assert (result.status, recorder.status, result.ended) == ("FINISHED", "FINISHED", "completed")
    assert (result.run_id, result.name) == ("recorded", "test_resnet-scratch-32px-seed0")
    assert result.digest == plan.manifest.digest()
    table = kept_predictions(recorder)
    for split, scores in (("val", result.val), ("test", result.test)):
        rows = table[table["split"] == split]
        assert set(rows["key"]) == set(plan.manifest.rows["key"][plan.manifest.numbers(split)])
        guesses = np.where(rows["p_cat"] >= rows["p_dog"], "cat", "dog")
        assert scores["accuracy"] == np.mean(guesses == rows["label"])
        assert recorder.numbers[f"{split}/accuracy", result.epoch] == scores["accuracy"]
    assert set(recorder.model) == {"model.json", "network.safetensors"}
    assert recorder.tags["transfer.kept_epoch"] == str(result.epoch)


def test_what_a_domain_judges_by_is_decided_scored_drawn_and_travels_with_the_model(
    planned: Callable[..., Plan],
    small_task: Task,
    carry_out: CarryOut,
    recorder: Any,
    tmp_path: Path,
) -> None:
    def above(said: Predictions, weights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        assert said.decisions is not None
        over = said.probabilities[:, 1] > said.decisions.by_name["median"]
        return {"above": weights @ over / weights.sum(axis=1)}

    judge = Judge(
        scores=above,
        decide=lambda said: {"median": float(np.median(said.probabilities[:, 1]))},
        figures=lambda _: {"blank": Figure()},
        shown=("above",),
    )
    task = replace(small_task, judge=lambda _settings: judge, notice="for tests alone")
    plan = planned(task)
    result = carry_out(plan, recorder)

    table = kept_predictions(recorder)
    median = table[table["split"] == "val"]["p_dog"].median()
    expected = (table[table["split"] == "test"]["p_dog"] > median).mean()
    assert result.test["above"] == pytest.approx(expected)
    assert (result.shown, result.notice) == (("balanced_accuracy", "above"), "for tests alone")
    assert {"figures/val_blank.png", "figures/test_blank.png"} <= set(recorder.files)
    predictor = Predictor.from_folder(kept_model(recorder, tmp_path))
    assert predictor.decisions is not None
    assert predictor.decisions.by_name == pytest.approx({"median": median})
    test = plan.manifest.keep((plan.manifest.rows["split"] == "test").to_numpy())
    again = evaluate(predictor, replace(task, read_manifest=lambda *_: test), plan.data, Silent())
    assert again.scores["above"].value == result.test["above"]


@pytest.mark.parametrize("kept", ["from the inspection", "by a pass of its own", "in part", "not"])
def test_kept_pixels_change_no_bit_and_each_picture_is_decoded_once(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
    kept: str,
) -> None:
    reads: Counter[str] = Counter()

    def counted(source: Path) -> Pixels:
        reads[source.name] += 1
        return read_picture(source)

    memory = {"machine": {"device": "cpu", "threads": 1, "pixels_gb": 0, "cache_gb": 0}}
    carry_out(planned(**memory), recorder)
    expected = recorder.model["network.safetensors"]
    clear("pixels")
    clear("digests")
    monkeypatch.setattr("transfer.plugin.task.read_picture", counted)
    plan = planned() if kept != "not" else planned(**memory)
    assert set(reads.values()) == {1}
    if kept == "by a pass of its own":
        clear("pixels")
    elif kept == "in part":  # as when files were added
        (block,) = (path.parent for path in folder_of("pixels").rglob("form.json"))
        store = PixelStore(32, "crop", 10**6, pytest.fail)
        names = plan.manifest.rows["pixels"].tolist()
        shutil.rmtree(block)
        with store.keeping(5, 24) as keep:
            for number in range(5):
                keep(names[number], read_picture(plan.manifest.row(number).path))
    reads.clear()
    again = type(recorder)()
    carry_out(plan, again)
    assert again.model["network.safetensors"] == expected
    assert again.numbers["test/accuracy", 2] == recorder.numbers["test/accuracy", 2]
    times = {"from the inspection": 0, "by a pass of its own": 24, "in part": 19}
    assert kept == "not" or sum(reads.values()) == times[kept]
    assert kept != "not" or max(reads.values()) > 1


@pytest.mark.parametrize("framing", ["crop", "pad", "squash"])
def test_the_kept_model_says_of_a_file_what_the_run_said(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any, tmp_path: Path, framing: str
) -> None:
    plan = planned(framing=framing, epochs=1)
    carry_out(plan, recorder)
    rows = plan.manifest.rows.set_index("key")
    table = kept_predictions(recorder)
    said = Predictor.from_folder(kept_model(recorder, tmp_path)).predict(
        [plan.manifest.root / rows["image"][key] for key in table["key"]]
    )
    columns = ["p_cat", "p_dog"]
    np.testing.assert_allclose(said[columns], table[columns], rtol=0, atol=1e-5)


@pytest.mark.parametrize("strategy", ["scratch", "probe"])
def test_the_kept_model_averages_over_the_views_that_the_run_averaged_over(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
) -> None:
    monkeypatch.setattr("transfer.shipping.restoring.load_task", lambda _: plan.task)
    plan = planned(test_views=2, split={"calibration": 0.2}, epochs=1, strategy=strategy)
    carry_out(plan, recorder)
    table, columns = kept_predictions(recorder), ["p_cat", "p_dog"]
    assert set(table["split"]) == {"val", "calibration", "test"}
    rows = plan.manifest.rows.set_index("key")
    files = [plan.manifest.root / rows["image"][key] for key in table["key"]]
    predictor = Predictor.from_folder(kept_model(recorder, tmp_path))
    said = predictor.predict(files)[columns].to_numpy()
    np.testing.assert_allclose(said, table[columns], rtol=0, atol=1e-5)
    predictor.recipe = predictor.recipe.model_copy(update={"test_views": 0})
    assert np.abs(predictor.predict(files)[columns].to_numpy() - said).max() > 1e-4


def test_what_selects_sees_the_plain_pictures_alone(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    carry_out(planned(epochs=1), recorder)
    plain = {key: value for key, value in recorder.numbers.items() if key[0].startswith("epoch/")}
    alone = recorder.numbers["val/log_loss", 1]
    carry_out(planned(epochs=1, test_views=2), recorder)
    assert {key: recorder.numbers[key] for key in plain} == plain
    assert recorder.numbers["val/log_loss", 1] != alone


def test_a_batch_may_be_larger_than_the_set(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    assert carry_out(planned(batch_size=1000), recorder).status == "FINISHED"


def test_a_calibration_part_is_predicted_as_well(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    carry_out(planned(split={"calibration": 0.2}), recorder)
    assert set(kept_predictions(recorder)["split"]) == {"val", "calibration", "test"}


def test_the_seed_decides_the_weights_and_not_the_split(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    weights, digests = [], []
    for seed in (0, 0, 1):
        digests.append(carry_out(planned(seed=seed), recorder).digest)
        weights.append(recorder.model["network.safetensors"])
    assert weights[0] == weights[1] != weights[2]
    assert len(set(digests)) == 1


def test_views_and_mistakes_stay_out_unless_pictures_are_let_in(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    carry_out(planned(strategy="probe"), recorder, log_pictures=False)
    assert "figures/test_confusion.png" in recorder.files
    assert not {"figures/views.png", "figures/test_mistakes.png"} & recorder.files.keys()
    carry_out(planned(strategy="probe"), recorder)
    assert "figures/views.png" in recorder.files


def four_bands(row: Row, _settings: TaskSettings) -> Pixels:
    """Read a picture and put its red beside it as a fourth band."""
    pixels = read_picture(row.path)
    return np.concatenate([pixels, pixels[:, :, :1]], axis=2)


def test_pictures_of_four_bands_start_from_weights_of_three(
    planned: Callable[..., Plan],
    small_task: Task,
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = build_network("test_resnet", 2).backbone.state_dict()
    monkeypatch.setattr("transfer.assembly.load_weights", lambda *_: Weights("a file", state))
    plan = planned(
        replace(small_task, read_image=four_bands),
        strategy="probe",
        bands=["red", "green", "blue", "nir"],
    )
    assert carry_out(plan, recorder).status == "FINISHED"
    card = json.loads(recorder.model["model.json"])
    assert card["mean"][:3] == [0.5, 0.5, 0.5]  # the backbone's own
    train = plan.manifest.rows[plan.manifest.rows["split"] == "train"]
    reds = [
        frame(four_bands(Row(plan.data / image), TaskSettings()), 32, "crop")[:, :, 3]
        for image in train["image"]
    ]
    assert card["mean"][3] == pytest.approx(np.stack(reds).mean() / 255)
    assert card["std"][3] == pytest.approx(np.stack(reds).std() / 255)


def test_bands_that_the_recipe_does_not_name_are_refused(
    planned: Callable[..., Plan], small_task: Task, carry_out: CarryOut, recorder: Any
) -> None:
    plan = planned(replace(small_task, read_image=four_bands))
    with pytest.raises(RecipeError, match="pictures have 4 bands, and the recipe names red, green"):
        carry_out(plan, recorder)
    assert recorder.run is None


def test_tensors_that_do_not_fit_are_listed(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    told: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = build_network("test_resnet", 2).backbone.state_dict()
    name = next(iter(state))
    del state[name]
    monkeypatch.setattr("transfer.assembly.load_weights", lambda *_: Weights("a file", state))
    carry_out(planned(strategy="probe"), recorder, told)
    assert f"1 tensor(s) stay random: {name}: not in the file" in told.notes
    assert recorder.run.tags["transfer.weights"] == "a file"


def test_every_epoch_is_said_with_its_score_and_the_time_left(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any, told: Any
) -> None:
    carry_out(planned(strategy="lp-ft"), recorder, told)
    probe, first, second = told.lines[1:]
    assert probe.startswith("probe      loss ")
    assert first.startswith("epoch 1/2  loss ")
    assert "  val balanced_accuracy " in first
    assert first.endswith(" s left")
    assert second.startswith("epoch 2/2")
