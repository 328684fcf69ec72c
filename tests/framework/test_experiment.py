"""One run, top to bottom, on a handful of pictures and a tiny network."""

import io
import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from transfer.assembly import Place
from transfer.cache.folder import clear, folder_of
from transfer.errors import OutputError, RecipeError, TrainingError
from transfer.experiment import RunResult, run
from transfer.images.framing import frame
from transfer.images.pictures import Pixels, read_picture
from transfer.network.backbone import build_network
from transfer.network.objective import OBJECTIVES
from transfer.network.pretrained import Weights
from transfer.overlay import Layer
from transfer.pixels.pixel_store import PixelStore
from transfer.plan import Plan, make_plan
from transfer.plugin.judge import Judge
from transfer.plugin.task import Task
from transfer.progress import Silent
from transfer.samples.layouts.detect import read_layout
from transfer.samples.manifest import Row
from transfer.samples.predictions import Predictions
from transfer.samples.target import TargetKind
from transfer.settings import TaskSettings
from transfer.shipping.evaluation import evaluate
from transfer.shipping.predictor import Predictor

pytestmark = pytest.mark.usefixtures("own_caches")


class Noise:
    """An Augmentation that adds noise, so that views differ from the plain picture."""

    def set_random_state(
        self,
        random_generator: np.random.Generator,
        py_random: random.Random,
    ) -> None:
        self._random = random_generator

    def __call__(self, *, image: Pixels, row: object) -> Mapping[str, Pixels]:
        return {"image": image // 2 + self._random.integers(0, 99, image.shape, dtype=np.uint8)}


TASK = Task(
    name="demo",
    summary="pictures",
    read_manifest=lambda data, _: read_layout(data),
    augment=lambda _size, _settings: Noise(),
)
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "strategy": "scratch", "epochs": 2, "size": 32,
    "batch_size": 8, "machine": {"device": "cpu", "threads": 1},
}  # fmt: skip


class Told(Silent):
    """A Progress that remembers lines, and that Ctrl-C meets at one of them."""

    def __init__(self, interrupted_at: str = "nowhere") -> None:
        self.lines: list[str] = []
        self._interrupted_at = interrupted_at

    def say(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith(self._interrupted_at):
            raise KeyboardInterrupt

    warn = say


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("confusion_matrix", "learning_curves", "picture_grid", "reliability_diagram"):
        monkeypatch.setattr(f"transfer.logbook.{name}", lambda *_, **__: b"drawn")


@pytest.fixture
def planned(class_folders: Callable[..., Path]) -> Callable[..., Plan]:
    data = class_folders({"cat": 12, "dog": 12})

    def plan(task: Task = TASK, **settings: Any) -> Plan:
        layers = [Layer("test", SETTINGS), Layer("test", settings)]
        return make_plan(task, data, layers, find_model=no_run, progress=Silent())

    return plan


def no_run(name: str) -> Path:
    pytest.fail(f"run {name} was looked for")


def carry_out(plan: Plan, recorder: Any, told: Told | None = None, **options: Any) -> RunResult:
    with TemporaryDirectory() as folder:
        place = Place(no_run, Path(folder).joinpath)
        return run(plan, recorder, told or Told(), place, **{"log_pictures": True, **options})


def kept_predictions(recorder: Any) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))


def kept_model(recorder: Any, place: Path) -> Path:
    folder = place / "model"
    folder.mkdir()
    for name, content in recorder.model.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_run_is_scored_on_val_and_once_on_test(
    planned: Callable[..., Plan], recorder: Any
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
    planned: Callable[..., Plan], recorder: Any, tmp_path: Path
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
    task = replace(TASK, judge=lambda _settings: judge, notice="for tests alone")
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
    again = evaluate(predictor, replace(task, read_manifest=lambda *_: test), plan.data, Told())
    assert again.scores["above"].value == result.test["above"]


@pytest.mark.parametrize("kept", ["from the inspection", "by a pass of its own", "in part", "not"])
def test_kept_pixels_change_no_bit_and_each_picture_is_decoded_once(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch, kept: str
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
    planned: Callable[..., Plan], recorder: Any, tmp_path: Path, framing: str
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
    recorder: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    strategy: str,
) -> None:
    monkeypatch.setattr("transfer.shipping.restoring.load_task", lambda _: TASK)
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
    planned: Callable[..., Plan], recorder: Any
) -> None:
    carry_out(planned(epochs=1), recorder)
    plain = {key: value for key, value in recorder.numbers.items() if key[0].startswith("epoch/")}
    alone = recorder.numbers["val/log_loss", 1]
    carry_out(planned(epochs=1, test_views=2), recorder)
    assert {key: recorder.numbers[key] for key in plain} == plain
    assert recorder.numbers["val/log_loss", 1] != alone


def test_a_batch_may_be_larger_than_the_set(planned: Callable[..., Plan], recorder: Any) -> None:
    assert carry_out(planned(batch_size=1000), recorder).status == "FINISHED"


def test_a_calibration_part_is_predicted_as_well(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    carry_out(planned(split={"calibration": 0.2}), recorder)
    assert set(kept_predictions(recorder)["split"]) == {"val", "calibration", "test"}


def test_the_seed_decides_the_weights_and_not_the_split(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    weights, digests = [], []
    for seed in (0, 0, 1):
        digests.append(carry_out(planned(seed=seed), recorder).digest)
        weights.append(recorder.model["network.safetensors"])
    assert weights[0] == weights[1] != weights[2]
    assert len(set(digests)) == 1


def test_views_and_mistakes_stay_out_unless_pictures_are_let_in(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    carry_out(planned(strategy="probe"), recorder, log_pictures=False)
    assert "figures/test_confusion.png" in recorder.files
    assert not {"figures/views.png", "figures/test_mistakes.png"} & recorder.files.keys()
    carry_out(planned(strategy="probe"), recorder)
    assert "figures/views.png" in recorder.files


def test_ctrl_c_keeps_the_best_weights_and_leaves_the_test_rows_alone(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    result = carry_out(planned(epochs=50), recorder, Told(interrupted_at="epoch 2/50"))
    assert (result.status, recorder.status) == ("KILLED", "KILLED")
    assert result.ended == "interrupted: in epoch 3 of 50"
    assert result.val
    assert result.test == {}
    assert set(kept_predictions(recorder)["split"]) == {"val"}
    assert not [name for name, _ in recorder.numbers if name.startswith("test/")]
    assert "network.safetensors" in recorder.model


def test_ctrl_c_before_there_are_weights_closes_the_run_as_killed(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("transfer.experiment.learn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        carry_out(planned(), recorder)
    assert recorder.status == "KILLED"
    assert recorder.model == {}


def lose_numbers_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Make the loss no number after so many steps."""
    true, left = OBJECTIVES[TargetKind.SINGLE_LABEL], iter(range(steps))

    def loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        value = true.loss(logits, targets, smoothing)
        return value if next(left, None) is not None else value * torch.nan

    monkeypatch.setitem(OBJECTIVES, TargetKind.SINGLE_LABEL, replace(true, loss=loss))


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_numbers_after(monkeypatch, steps=3)  # 16 rows in batches of 8: in the second epoch
    result = carry_out(planned(), recorder)
    assert (result.status, recorder.status, result.epoch) == ("FAILED", "FAILED", 1)
    assert result.ended == (
        "diverged: the loss became nan in epoch 2, step 2 of 2; take a smaller --lr than 0.002"
    )
    assert result.test == {}
    assert np.isfinite(kept_predictions(recorder)["p_cat"]).all()
    assert "network.safetensors" in recorder.model


def test_a_loss_that_is_no_number_at_once_is_an_error_and_a_failed_run(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_numbers_after(monkeypatch, steps=1)
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1, step 2 of 2"):
        carry_out(planned(), recorder)
    assert recorder.status == "FAILED"
    assert recorder.model == {}


def test_a_model_that_cannot_be_written_is_said_and_the_scores_are_kept(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_disk(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("transfer.shipping.model_files.save_file", fill_disk)
    with pytest.raises(OutputError, match=r"No space left on device"):
        carry_out(planned(epochs=1), recorder)
    assert recorder.status == "FAILED"
    assert set(kept_predictions(recorder)["split"]) == {"val", "test"}
    assert recorder.model == {}


def test_a_picture_smaller_than_the_stride_is_refused_before_the_run_is_opened(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    with pytest.raises(RecipeError, match=r"size = 16: .* take --size 32 or more"):
        carry_out(planned(size=16), recorder)
    assert recorder.run is None


def four_bands(row: Row, _settings: TaskSettings) -> Pixels:
    """Read a picture and put its red beside it as a fourth band."""
    pixels = read_picture(row.path)
    return np.concatenate([pixels, pixels[:, :, :1]], axis=2)


def test_pictures_of_four_bands_start_from_weights_of_three(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = build_network("test_resnet", 2).backbone.state_dict()
    monkeypatch.setattr("transfer.assembly.load_weights", lambda *_: Weights("a file", state))
    plan = planned(
        replace(TASK, read_image=four_bands),
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
    planned: Callable[..., Plan], recorder: Any
) -> None:
    plan = planned(replace(TASK, read_image=four_bands))
    with pytest.raises(RecipeError, match="pictures have 4 bands, and the recipe names red, green"):
        carry_out(plan, recorder)
    assert recorder.run is None


def test_a_balance_without_sense_is_refused_before_the_run_is_opened(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = replace(OBJECTIVES[TargetKind.SINGLE_LABEL], refused={"focal": "it is a test"})
    monkeypatch.setitem(OBJECTIVES, TargetKind.SINGLE_LABEL, refusing)
    with pytest.raises(RecipeError, match="training.balance = 'focal' makes no sense"):
        carry_out(planned(training={"balance": "focal"}), recorder)
    assert recorder.run is None


def test_tensors_that_do_not_fit_are_listed(
    planned: Callable[..., Plan], recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = build_network("test_resnet", 2).backbone.state_dict()
    name = next(iter(state))
    del state[name]
    monkeypatch.setattr("transfer.assembly.load_weights", lambda *_: Weights("a file", state))
    told = Told()
    carry_out(planned(strategy="probe"), recorder, told)
    assert f"1 tensor(s) stay random: {name}: not in the file" in told.lines
    assert recorder.run.tags["transfer.weights"] == "a file"


def test_every_epoch_is_said_with_its_score_and_the_time_left(
    planned: Callable[..., Plan], recorder: Any
) -> None:
    told = Told()
    carry_out(planned(strategy="lp-ft"), recorder, told)
    probe, first, second = told.lines[1:]
    assert probe.startswith("probe      loss ")
    assert first.startswith("epoch 1/2  loss ")
    assert "  val balanced_accuracy " in first
    assert first.endswith(" s left")
    assert second.startswith("epoch 2/2")
