"""Runs that end before their time: interrupted, diverged, on a full disk, or refused."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from transfer.errors import OutputError, RecipeError, TrainingError
from transfer.experiment import RunResult
from transfer.network.objective import OBJECTIVES
from transfer.plan import Plan
from transfer.progress import Silent
from transfer.samples.target import TargetKind

CarryOut = Callable[..., RunResult]
pytestmark = pytest.mark.usefixtures("own_caches", "no_figures")


def kept_predictions(recorder: Any) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(recorder.files["predictions.parquet"]))


class Interrupted(Silent):
    """A Progress whose reader types Ctrl-C when the second epoch is said."""

    def say(self, line: str) -> None:
        if line.startswith("epoch 2/50"):
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_best_weights_and_leaves_the_test_rows_alone(
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    result = carry_out(planned(epochs=50), recorder, Interrupted())
    assert (result.status, recorder.status) == ("KILLED", "KILLED")
    assert result.ended == "interrupted: in epoch 3 of 50"
    assert result.val
    assert result.test == {}
    assert set(kept_predictions(recorder)["split"]) == {"val"}
    assert not [name for name, _ in recorder.numbers if name.startswith("test/")]
    assert "network.safetensors" in recorder.model


def test_ctrl_c_before_there_are_weights_closes_the_run_as_killed(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
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
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
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
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lose_numbers_after(monkeypatch, steps=1)
    with pytest.raises(TrainingError, match="the loss became nan in epoch 1, step 2 of 2"):
        carry_out(planned(), recorder)
    assert recorder.status == "FAILED"
    assert recorder.model == {}


def test_a_model_that_cannot_be_written_is_said_and_the_scores_are_kept(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
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
    planned: Callable[..., Plan], carry_out: CarryOut, recorder: Any
) -> None:
    with pytest.raises(RecipeError, match=r"size = 16: .* take --size 32 or more"):
        carry_out(planned(size=16), recorder)
    assert recorder.run is None


def test_a_balance_without_sense_is_refused_before_the_run_is_opened(
    planned: Callable[..., Plan],
    carry_out: CarryOut,
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refusing = replace(OBJECTIVES[TargetKind.SINGLE_LABEL], refused={"focal": "it is a test"})
    monkeypatch.setitem(OBJECTIVES, TargetKind.SINGLE_LABEL, refusing)
    with pytest.raises(RecipeError, match="training.balance = 'focal' makes no sense"):
        carry_out(planned(training={"balance": "focal"}), recorder)
    assert recorder.run is None
