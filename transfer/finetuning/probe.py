"""A linear head on frozen features, by convex optimization."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transfer.cache.scratch import scratch
from transfer.network.heads import Cosine, Head, ResidualMLP
from transfer.settings import ProbeSettings

_CHUNK = 4096  # rows; more at once would only take memory


@dataclass(frozen=True)
class Labelled:
    """Rows to fit a head on, or to choose it by.

    Attributes:
        features: (N, D) float16 or float32; may be mapped from a file.
        targets: (N, ...), as the loss takes them.
        weights: (N,), what each row counts for, as by its class; None counts all alike.
    """

    features: Tensor
    targets: Tensor
    weights: Tensor | None = None


@dataclass(frozen=True)
class AffineLoss:
    """A loss, convex in the weight and the bias of logits = features @ weight.T + bias.

    Attributes:
        outputs: O, rows of the weight: K for K classes, 1 for ordered grades.
        start: (K',) float32, the bias before the first step: zeros for classes, in order for
            the thresholds between grades. Where O is 1 the bias spreads it to K' logits.
        losses: logits (N, K') float64, targets (N, ...) -> (N,).
    """

    outputs: int
    start: Tensor
    losses: Callable[[Tensor, Tensor], Tensor]


def cross_entropy(classes: int) -> AffineLoss:
    """Return the loss of multinomial logistic regression over so many classes."""
    return AffineLoss(
        classes,
        torch.zeros(classes),
        lambda logits, y: F.cross_entropy(logits, y, reduction="none"),
    )


@dataclass(frozen=True)
class LinearHead:
    """logits = features @ weight.T + bias, and how it was chosen.

    Attributes:
        weight: (O, D) float32.
        bias: (K',) float32.
        l2: strength of its penalty.
        train_loss: mean loss on the training rows, penalty left out.
        val_loss: mean loss on the val rows.
    """

    weight: Tensor
    bias: Tensor
    l2: float
    train_loss: float
    val_loss: float


def fit_head(
    head: Head,
    train: Labelled,
    val: Labelled,
    losses: Callable[[Tensor, Tensor], Tensor],
    settings: ProbeSettings,
) -> float:
    """Give `head` the best it can have on these features; return its mean loss on `train`.

    A head with an affine part gets the minimum of the loss. One that goes by directions gets the
    mean of each class, which no penalty has to choose.

    Args:
        head: changed in place; in eval mode.
        train: rows to fit on.
        val: rows that choose the strength of the penalty.
        losses: logits, targets -> (N,), convex in an affine head.
        settings: strengths and iterations.
    """
    affine = head.affine if isinstance(head, ResidualMLP) else head
    if isinstance(affine, Cosine):
        affine.place(_class_means(train, affine.out_features))
        logits = affine(train.features.float().to(affine.weight.device)).detach().cpu().double()
        return float(losses(logits, train.targets).mean())
    start = affine.bias.detach().cpu().clone()  # the head may be on a card; the fit never is
    fitted = fit_linear_head(train, val, AffineLoss(len(affine.weight), start, losses), settings)
    affine.place(fitted.weight, fitted.bias)
    return fitted.train_loss


def _class_means(rows: Labelled, classes: int) -> Tensor:
    """Return the mean direction of the features of each class: (K, D)."""
    sums = torch.zeros(classes, rows.features.shape[1])
    return sums.index_add_(0, rows.targets, F.normalize(rows.features.float()))


def fit_linear_head(
    train: Labelled, val: Labelled, loss: AffineLoss, settings: ProbeSettings
) -> LinearHead:
    """Return the linear head whose L2 has the lowest loss on val.

    Minimizes mean loss + l2 / 2 * |W|^2 over standardized features; see `l2_path`. A strength
    that does worse than the one before ends the search: the path has one valley.

    Args:
        train: rows to fit on.
        val: rows that choose the strength.
        loss: of the kind of target.
        settings: strengths and iterations.
    """
    best: LinearHead | None = None
    for head in l2_path(train, val, loss, settings):
        # Not "worse or equal": a loss that is no number ends the search as well.
        if best is not None and not head.val_loss < best.val_loss:
            break
        best = head
    if best is None:
        raise ValueError("no strength of the penalty was given")
    return best


def l2_path(
    train: Labelled, val: Labelled, loss: AffineLoss, settings: ProbeSettings
) -> Iterator[LinearHead]:
    """Yield the head of each strength, from the strongest penalty to the weakest.

    Each starts where the last one ended. The standardization is folded into the head.
    """
    mean, std = _moments(train.features)
    standardized = Labelled(_standardized(train.features, mean, std), train.targets, train.weights)
    fit = _Fit(standardized, loss, settings.iterations)
    for l2 in sorted(settings.l2, reverse=True):
        weight, bias = fit.minimize(l2)
        folded = weight.double() / std
        head = folded.float(), (bias.double() - folded @ mean).float()
        yield LinearHead(
            *head, l2, _mean_loss(standardized, weight, bias, loss), _mean_loss(val, *head, loss)
        )


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (D,) float64; 1 for a feature that never changes."""
    mean = torch.zeros(features.shape[1], dtype=torch.float64)
    for rows in _chunks(features):
        mean += features[rows].double().sum(dim=0)
    mean /= len(features)
    squares = torch.zeros_like(mean)
    for rows in _chunks(features):
        squares += (features[rows].double() - mean).square().sum(dim=0)
    std = (squares / len(features)).sqrt()
    # What never changes in the rows would be divided by nothing.
    return mean, torch.where(std > 1e-6 * std.max().clamp(min=1e-12), std, torch.ones_like(std))


def _standardized(features: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return the one copy of the features (N, D) float32; a large one is mapped."""
    standardized = torch.from_numpy(scratch(tuple(features.shape)))
    for rows in _chunks(features):
        standardized[rows] = (features[rows].double() - mean) / std
    return standardized


@torch.inference_mode()
def _mean_loss(rows: Labelled, weight: Tensor, bias: Tensor, loss: AffineLoss) -> float:
    """Return the mean loss, each row by its weight, in float64."""
    total = weighed = 0.0
    for numbers in _chunks(rows.features):
        logits = rows.features[numbers].double() @ weight.double().T + bias.double()
        losses = loss.losses(logits, rows.targets[numbers])
        weights = torch.ones_like(losses) if rows.weights is None else rows.weights[numbers]
        total += float((losses * weights).sum())
        weighed += float(weights.sum())
    return total / weighed if weighed else math.nan


def _chunks(features: Tensor) -> Iterator[slice]:
    return (slice(first, first + _CHUNK) for first in range(0, len(features), _CHUNK))


class _Fit:
    """L-BFGS over standardized features; `minimize` goes on from where it was."""

    def __init__(self, rows: Labelled, loss: AffineLoss, iterations: int) -> None:
        self._rows, self._loss, self._iterations = rows, loss, iterations
        weights = torch.ones(len(rows.features)) if rows.weights is None else rows.weights
        self._shares = weights.double() / weights.double().sum()
        width = rows.features.shape[1]
        self._weight = torch.zeros(loss.outputs, width)
        self._bias = loss.start.clone()

    def minimize(self, l2: float) -> tuple[Tensor, Tensor]:
        """Return weight (O, D) and bias (K',) that minimize the loss under the penalty `l2`."""
        weight, bias = (tensor.requires_grad_() for tensor in (self._weight, self._bias))
        optimizer = torch.optim.LBFGS(
            [weight, bias],
            max_iter=self._iterations,
            history_size=10,
            tolerance_grad=1e-6,
            tolerance_change=1e-9,
            line_search_fn="strong_wolfe",
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            # The line search compares losses that differ in the eighth digit: sums are float64.
            logits = (self._rows.features @ weight.T + bias).double()
            value = self._shares @ self._loss.losses(logits, self._rows.targets)
            value = value + 0.5 * l2 * weight.double().square().sum()
            value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            return value

        optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._weight, self._bias = weight.detach(), bias.detach()
        return self._weight, self._bias
