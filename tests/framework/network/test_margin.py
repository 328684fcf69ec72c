import math

import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import Tensor

from transfer.network.heads import Cosine
from transfer.network.objective import make_loss
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings, TrainingSettings

D, K = 8, 5
PLAIN = TrainingSettings(label_smoothing=0.0)
HEAD = HeadSettings(scale=20.0, margin=0.4, margin_warmup=0.5)
TARGETS = torch.tensor([0, 1, 4, 2, 3, 1])


@pytest.fixture
def features() -> Tensor:
    return torch.randn(6, D, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def head() -> Cosine:
    torch.manual_seed(3)
    return Cosine(D, K, scale=HEAD.scale)


def loss_of_the_library(head: Cosine, features: Tensor, margin: float) -> float:
    arcface = ArcFaceLoss(K, D, margin=math.degrees(margin), scale=HEAD.scale)
    with torch.no_grad():
        arcface.W.copy_(head.weight.T)
    return float(arcface(features, TARGETS).detach())


@pytest.mark.parametrize(("done", "share"), [(0.0, 0.0), (0.2, 0.4), (0.5, 1.0), (0.9, 1.0)])
def test_the_loss_is_the_library_s_with_a_margin_that_grows(
    head: Cosine, features: Tensor, done: float, share: float
) -> None:
    loss = make_loss(TargetKind.IDENTITY, PLAIN, [1] * K, HEAD)
    expected = loss_of_the_library(head, features, share * HEAD.margin)
    assert loss(head(features), TARGETS, done).item() == pytest.approx(expected, rel=1e-4)


def test_unless_told_how_far_training_is_the_margin_is_full(head: Cosine, features: Tensor) -> None:
    loss = make_loss(TargetKind.IDENTITY, PLAIN, [1] * K, HEAD)
    expected = loss_of_the_library(head, features, HEAD.margin)
    assert loss(head(features), TARGETS).item() == pytest.approx(expected, rel=1e-4)


def test_a_row_on_its_own_centre_has_a_gradient(head: Cosine, features: Tensor) -> None:
    head.place(features[:K])
    loss = make_loss(TargetKind.IDENTITY, PLAIN, [1] * K, HEAD)
    for done in (0.0, 1.0):
        head.zero_grad()
        loss(head(features[:K]), torch.arange(K), done).backward()
        assert torch.isfinite(head.weight.grad).all()


def test_making_a_loss_draws_no_numbers() -> None:
    before = torch.get_rng_state()
    make_loss(TargetKind.IDENTITY, PLAIN, [1] * K, HEAD)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_cosine_head_for_single_labels_has_the_margin_as_well(
    head: Cosine, features: Tensor
) -> None:
    settings = HEAD.model_copy(update={"kind": "cosine"})
    loss = make_loss(TargetKind.SINGLE_LABEL, PLAIN, [1] * K, settings)
    expected = loss_of_the_library(head, features, HEAD.margin)
    assert loss(head(features), TARGETS).item() == pytest.approx(expected, rel=1e-4)
