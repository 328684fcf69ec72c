"""Head, loss and probabilities for each kind of target: one table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from transfer.errors import RecipeError
from transfer.network import heads
from transfer.network.heads import Head
from transfer.network.margin import ArcFace
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings, TrainingSettings

FOCAL_GAMMA = 2  # what Lin et al. found best
BuildHead = Callable[[int, int, HeadSettings, float], Head]


class RowLoss(Protocol):
    """Logits, targets, label smoothing in [0, 1) -> the loss of each row (B,)."""

    def __call__(self, logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        """Return the losses (B,)."""


@dataclass(frozen=True)
class Objective:
    """What training lowers and what a head's outputs mean.

    Attributes:
        head: the kind of head unless the recipe names one.
        heads: the kinds there are -> (features, outputs, settings, dropout) -> head.
        outputs: number of classes K -> width of the logits O.
        loss: logits (B, O), targets (B,) or (B, K) -> losses (B,).
        probabilities: logits (B, O) -> probabilities (B, K).
        focal: `loss` with the rows that are known already scaled down.
        balance: how classes are balanced unless the recipe says so.
        refused: ways of balancing classes that make no sense here -> why.
    """

    head: str
    heads: Mapping[str, BuildHead]
    outputs: Callable[[int], int]
    loss: RowLoss
    probabilities: Callable[[Tensor], Tensor]
    focal: RowLoss | None = None
    balance: str = "none"
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loss:
    """What a run lowers: the loss of its kind of target, balanced, with a margin if it has one."""

    smoothing: float
    balanced: RowLoss
    margin: ArcFace | None

    def rows(self, logits: Tensor, targets: Tensor, done: float = 1.0) -> Tensor:
        """Return the loss of each row (B,); `done` is the share of the training that is over."""
        if self.margin is not None:
            logits = self.margin(logits, targets, done)
        return self.balanced(logits, targets, self.smoothing)

    def __call__(self, logits: Tensor, targets: Tensor, done: float = 1.0) -> Tensor:
        """Return the mean loss, a scalar."""
        return self.rows(logits, targets, done).mean()


def make_loss(
    kind: TargetKind,
    settings: TrainingSettings,
    counts: Sequence[int] | NDArray[np.int64],
    head: HeadSettings | None = None,
) -> Loss:
    """Return what a run lowers.

    Args:
        kind: of target.
        settings: label smoothing and how classes are balanced.
        counts: training rows of each class, (K,).
        head: its kind, scale and margin; unset takes the recipe's own defaults.

    Raises:
        RecipeError: that way of balancing, or that head, makes no sense for the kind of target.
    """
    objective, head = OBJECTIVES[kind], head or HeadSettings()
    if reason := objective.refused.get(settings.balance):
        raise RecipeError(
            f"training.balance = {settings.balance!r} makes no sense for {kind} targets: {reason}; "
            f"take one of {', '.join(b for b in _BALANCES if b not in objective.refused)}"
        )
    per_class = torch.as_tensor(np.asarray(counts), dtype=torch.float32)
    balance = objective.balance if settings.balance == "auto" else settings.balance
    balanced = _BALANCES[balance](objective, per_class, settings.balance_strength)
    margin = ArcFace(head) if head_kind(kind, head) == "cosine" and head.margin else None
    return Loss(settings.label_smoothing, balanced, margin)


def class_counts(targets: NDArray[np.generic], classes: int) -> NDArray[np.int64]:
    """Return how many rows have each class or label, (K,)."""
    if targets.ndim > 1:  # several labels: (N, K) of 0 and 1
        return np.asarray(targets.sum(axis=0), dtype=np.int64)
    return np.bincount(np.asarray(targets, dtype=np.int64), minlength=classes)


def head_kind(kind: TargetKind, settings: HeadSettings) -> str:
    """Return the kind of head for a kind of target, "auto" decided.

    Raises:
        RecipeError: that head makes no sense for the kind of target.
    """
    objective = OBJECTIVES[kind]
    name = objective.head if settings.kind == "auto" else settings.kind
    if name not in objective.heads:
        raise RecipeError(
            f"head.kind = {name!r} makes no sense for {kind} targets; "
            f"take one of auto, {', '.join(objective.heads)}"
        )
    return name


def build_head(
    kind: TargetKind, settings: HeadSettings, features: int, classes: int, dropout: float
) -> Head:
    """Return a new head: features (B, D) -> logits.

    Raises:
        RecipeError: that head makes no sense for the kind of target.
    """
    objective = OBJECTIVES[kind]
    build = objective.heads[head_kind(kind, settings)]
    return build(features, objective.outputs(classes), settings, dropout)


def _plain(objective: Objective, counts: Tensor, strength: float) -> RowLoss:  # noqa: ARG001  # as all
    return objective.loss


def _weighted(objective: Objective, counts: Tensor, strength: float) -> RowLoss:
    """Weigh rows by the inverse frequency of their class; the mean weight of a row is 1."""
    rarity = torch.where(counts > 0, counts.clamp(min=1) ** -strength, 0.0)
    weights = rarity * counts.sum() / (rarity * counts).sum()

    def loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return _beside(weights, logits)[targets] * objective.loss(logits, targets, smoothing)

    return loss


def _logit_adjusted(objective: Objective, counts: Tensor, strength: float) -> RowLoss:
    """Add log priors to the logits in training, so that without them rare classes count more.

    Menon et al. 2021, Long-tail learning via logit adjustment, arXiv:2007.07314; strength is tau.
    """
    seen = counts.clamp(min=1)  # a class without rows would have a prior of minus infinity
    log_prior = strength * (seen / seen.sum()).log()

    def loss(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
        return objective.loss(logits + _beside(log_prior, logits), targets, smoothing)

    return loss


def _focal(objective: Objective, counts: Tensor, strength: float) -> RowLoss:  # noqa: ARG001  # as all
    return objective.focal or objective.loss


def _beside(constant: Tensor, logits: Tensor) -> Tensor:
    """Return `constant` where `logits` are; a card that is still computing is not waited for."""
    return constant.to(logits.device, non_blocking=True)


_BALANCES: dict[str, Callable[[Objective, Tensor, float], RowLoss]] = {
    "none": _plain,
    "weights": _weighted,
    "logit-adjustment": _logit_adjusted,
    "focal": _focal,
    "sampler": _plain,  # the order draws; the loss need not know
}


def _cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    return F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")


def _focal_cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return (1 - p)^2 times the cross entropy, p of the true class (Lin et al. 2017)."""
    true = logits.softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    return (1 - true) ** FOCAL_GAMMA * _cross_entropy(logits, targets, smoothing)


def _binary(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the mean over K independent yes-no questions."""
    wanted = (targets * (1 - smoothing) + smoothing / 2).to(logits.dtype)  # else it decides
    losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return losses.mean(dim=1)


def _focal_binary(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the questions of `_binary`, each times (1 - p)^2, p of its true answer."""
    wanted = (targets * (1 - smoothing) + smoothing / 2).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    wrong = (targets - logits.sigmoid()).abs()
    return (wrong**FOCAL_GAMMA * losses).mean(dim=1)


def _ordinal(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the sum over the K - 1 questions "is it above k?" (Cao et al. 2020, CORAL).

    It is convex in the affine part of a head, whose thresholds are in order where it is lowest.
    """
    steps = logits.shape[1]
    above = (targets.unsqueeze(1) > torch.arange(steps, device=logits.device)).to(logits.dtype)
    # Of a label that is spread over all classes, this share lies above k.
    spread = torch.arange(steps, 0, -1, device=logits.device) / (steps + 1)
    wanted = above * (1 - smoothing) + spread * smoothing
    return F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").sum(dim=1)


def _ordinal_probabilities(logits: Tensor) -> Tensor:
    # P(class > k) cannot rise with k: the running minimum puts thresholds in order that are not.
    # As one minimum for each threshold, for ONNX has no running one.
    steps = range(1, logits.shape[1] + 1)
    above = torch.stack([logits.sigmoid()[:, :step].amin(dim=1) for step in steps], dim=1)
    ends = torch.ones_like(above[:, :1]), torch.zeros_like(above[:, :1])
    bounds = torch.cat([ends[0], above, ends[1]], dim=1)
    return bounds[:, :-1] - bounds[:, 1:]


_SEVERAL = "a row can have several labels"
_ORDERED = "ordered classes share one direction, and only its thresholds tell them apart"
_OTHERS = "those to be told apart later are others, with frequencies of their own"
_SOFTMAX = partial(torch.softmax, dim=1)

OBJECTIVES = {
    TargetKind.SINGLE_LABEL: Objective(
        head="linear",
        heads={
            "linear": heads.linear,
            "residual-mlp": heads.residual_linear,
            "cosine": heads.cosine,
        },
        outputs=lambda classes: classes,
        loss=_cross_entropy,
        probabilities=_SOFTMAX,
        focal=_focal_cross_entropy,
        balance="logit-adjustment",
    ),
    TargetKind.MULTI_LABEL: Objective(
        head="linear",
        heads={"linear": heads.linear, "residual-mlp": heads.residual_linear},
        outputs=lambda classes: classes,
        loss=_binary,
        probabilities=torch.sigmoid,
        focal=_focal_binary,
        refused={"weights": _SEVERAL, "logit-adjustment": _SEVERAL, "sampler": _SEVERAL},
    ),
    TargetKind.ORDINAL: Objective(
        head="linear",
        heads={"linear": heads.proportional_odds, "residual-mlp": heads.residual_odds},
        outputs=lambda classes: classes - 1,
        loss=_ordinal,
        probabilities=_ordinal_probabilities,
        refused={"logit-adjustment": _ORDERED, "focal": _ORDERED},
    ),
    TargetKind.IDENTITY: Objective(
        head="cosine",
        heads={"cosine": heads.cosine},
        outputs=lambda classes: classes,
        loss=_cross_entropy,
        probabilities=_SOFTMAX,
        refused={"logit-adjustment": _OTHERS, "focal": _OTHERS},
    ),
}
