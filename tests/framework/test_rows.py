"""The rows of a plan: what a lesson is made of, and what is judged when."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from transfer.finetuning.devices import Compute
from transfer.finetuning.ending import Ended, Ending
from transfer.finetuning.lesson import Learned
from transfer.finetuning.stopping import Validation
from transfer.images.framing import frame
from transfer.images.pictures import read_picture
from transfer.network.backbone import Network, build_network
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.rows import Rows
from transfer.samples.predictions import Said

pytestmark = pytest.mark.usefixtures("own_caches")

COMPUTE = Compute(torch.device("cpu"), "fp32", 1, "a test")
SETTINGS = {
    "backbone": "test_resnet", "weights": "none", "size": 32, "batch_size": 4,
    "split": {"calibration": 0.2},
}  # fmt: skip


@pytest.fixture
def planned(class_folders: Callable[..., Path]) -> Callable[..., Plan]:
    data = class_folders({"cat": 8, "dog": 8})

    def plan(**settings: Any) -> Plan:
        layers, task = [Layer("test", SETTINGS), Layer("test", settings)], "labelled_images"
        return make_plan(load_task(task), data, layers, find_model=pytest.fail, progress=Silent())

    return plan


@pytest.fixture
def network() -> Network:
    """It answers differently to different pictures."""
    torch.manual_seed(0)
    network = build_network("test_resnet", 2).eval()
    nn.init.normal_(network.head.weight, std=0.5)
    return network


def learned(ending: Ending, val: int, epoch: int = 1) -> Learned:
    """Return the end of a training that says "cat" for sure of so many val rows."""
    said = Said(np.tile(np.array([[1, 0]], np.float32), (val, 1)))
    return Learned(Ended(ending), epoch, Validation(said, {}))


def test_a_lesson_learns_from_train_and_is_judged_on_val(planned: Callable[..., Plan]) -> None:
    plan = planned()
    lesson = Rows(plan, COMPUTE, Silent()).lesson()
    rows = plan.manifest.rows
    assert rows["split"].to_numpy()[lesson.train].tolist() == ["train"] * len(lesson.train)
    assert rows["split"].to_numpy()[lesson.val].tolist() == ["val"] * len(lesson.val)
    truth = np.eye(2, dtype=np.float32)[(rows["label"] == "dog").to_numpy(np.int64)]
    assert lesson.headline == "balanced_accuracy"
    assert lesson.score(Said(truth[lesson.val]))["balanced_accuracy"] == 1
    assert lesson.score(Said(1 - truth[lesson.val]))["balanced_accuracy"] == 0


@pytest.mark.parametrize(
    ("ending", "splits"),
    [
        (Ending.COMPLETED, {"val", "calibration", "test"}),
        (Ending.STALE, {"val", "calibration", "test"}),
        (Ending.INTERRUPTED, {"val"}),
        (Ending.DIVERGED, {"val"}),
        (Ending.TERMINATED, set()),
    ],
)
def test_only_what_was_trained_to_its_end_sees_the_test_rows(
    planned: Callable[..., Plan], network: Network, ending: Ending, splits: set[str]
) -> None:
    plan = planned()
    val = len(plan.manifest.numbers("val"))
    said = Rows(plan, COMPUTE, Silent()).judge(network, learned(ending, val))
    assert set(said) == splits
    for split, predictions in said.items():
        rows = plan.manifest.rows[plan.manifest.rows["split"] == split]
        assert predictions.keys.tolist() == rows["key"].tolist()
        assert [predictions.classes[k] for k in predictions.targets] == rows["label"].tolist()
        assert predictions.embeddings is None
    if "val" in said:  # as training left it; nothing is asked a second time
        assert said["val"].probabilities.tolist() == [[1, 0]] * val


def test_kept_features_say_what_pictures_do(planned: Callable[..., Plan], network: Network) -> None:
    plan = planned()
    rows, val = Rows(plan, COMPUTE, Silent()), len(plan.manifest.numbers("val"))
    by_features = rows.judge(network, learned(Ending.COMPLETED, val, epoch=0))["test"]
    by_pictures = rows.judge(network, learned(Ending.COMPLETED, val, epoch=1))["test"]
    np.testing.assert_allclose(by_features.probabilities, by_pictures.probabilities, atol=1e-5)
    pixels = np.stack([rows.pictures[int(n)] for n in plan.manifest.numbers("test")])
    with torch.inference_mode():
        logits = network(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    expected = torch.softmax(logits, dim=1).numpy()
    np.testing.assert_allclose(by_pictures.probabilities, expected, atol=1e-5)
    assert np.ptp(expected[:, 0]) > 1e-3


def test_persons_are_judged_by_embeddings(planned: Callable[..., Plan], network: Network) -> None:
    plan = planned(task={"target": "identity"})
    rows, val = Rows(plan, COMPUTE, Silent()), len(plan.manifest.numbers("val"))
    said = rows.judge(network, learned(Ending.COMPLETED, val))["test"]
    assert said.embeddings is not None
    pixels = np.stack([rows.pictures[int(n)] for n in plan.manifest.numbers("test")])
    with torch.inference_mode():
        expected = network.embed(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(said.embeddings, expected, atol=1e-4)


def test_thresholds_of_labels_come_from_the_calibration_rows(
    class_folders: Callable[..., Path], network: Network
) -> None:
    data = class_folders({"cat": 8, "dog": 8})
    files = sorted(data.rglob("*.png"))
    names = [file.relative_to(data).as_posix() for file in files]
    labels = ["|".join(["cat", "dog"][: n % 3]) for n in range(len(files))]
    pd.DataFrame({"image": names, "label": labels}).to_csv(data / "labels.csv", index=False)
    layers = [Layer("test", SETTINGS), Layer("test", {"task": {"target": "multi_label"}})]
    plan = make_plan(
        load_task("labelled_images"), data / "labels.csv", layers,
        find_model=pytest.fail, progress=Silent(),
    )  # fmt: skip
    val = len(plan.manifest.numbers("val"))
    rows = Rows(plan, COMPUTE, Silent())
    said = rows.judge(network, learned(Ending.COMPLETED, val))
    fitted = {predictions.thresholds for predictions in said.values()}
    assert {thresholds.fitted_on for thresholds in fitted if thresholds} == {"calibration"}
    assert len(fitted) == 1
    only_val = rows.judge(network, learned(Ending.INTERRUPTED, val))["val"]
    assert only_val.thresholds is not None
    assert only_val.thresholds.fitted_on == "val"


def test_bands_are_measured_on_the_training_rows_as_the_network_sees_them(
    planned: Callable[..., Plan],
) -> None:
    plan = planned(framing="pad")
    rows = Rows(plan, COMPUTE, Silent())
    assert rows.bands() == 3
    train = plan.manifest.rows[plan.manifest.rows["split"] == "train"]
    framed = [frame(read_picture(plan.data / image), 32, "pad") for image in train["image"]]
    pixels = np.stack(framed).reshape(-1, 3) / 255
    found = rows.normalization()
    assert found.mean == pytest.approx(pixels.mean(axis=0).tolist())
    assert found.std == pytest.approx(pixels.std(axis=0).tolist())
