"""A linear head on frozen features: features once, then the head by convex optimization."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network
from transfer.network.heads import Head
from transfer.pixels.batches import Batch
from transfer.recipe import ProbeSettings


@dataclass(frozen=True)
class LinearHead:
    """logits = features @ weight.T + bias, and how it was chosen.

    Attributes:
        weight: (K, D) float32.
        bias: (K,) float32.
        l2: strength of its penalty.
        train_loss: mean cross entropy on the training rows, penalty left out.
        val_loss: mean cross entropy on the val rows.
    """

    weight: Tensor
    bias: Tensor
    l2: float
    train_loss: float
    val_loss: float

    def place(self, head: Head) -> None:
        """Copy the weights into the head of a network."""
        head.place(self.weight, self.bias)


@torch.inference_mode()
def extract_features(
    network: Network,
    batches: Iterable[Batch],
    compute: Compute,
    *,
    fitted_on: bool,
) -> Tensor:
    """Return pooled features (N, D) float32 in the order of the batches.

    Args:
        network: its backbone is put in eval mode.
        batches: plain views.
        compute: device and precision.
        fitted_on: rows that only fit a head may be computed in the training precision; rows that
            are scored are computed in fp32, as prediction does.
    """
    network.eval()
    parts = []
    for batch in batches:
        pixels = compute.move(batch.pixels)
        if fitted_on:
            with compute.autocast():
                features = network.embed(pixels)
        else:
            features = network.embed(pixels)
        parts.append(features.float().cpu())
    return torch.cat(parts)


def fit_linear_head(
    train: tuple[Tensor, NDArray[np.int64]],
    val: tuple[Tensor, NDArray[np.int64]],
    classes: int,
    settings: ProbeSettings,
) -> LinearHead:
    """Return the multinomial logistic regression whose L2 has the lowest loss on val.

    Minimizes mean cross entropy + l2 / 2 * |W|^2 over standardized features by L-BFGS, from the
    strongest penalty to the weakest, each started where the last one ended. The standardization is
    folded into the head. A strength that does worse than the one before ends the search: the path
    has one valley.

    Args:
        train: features (N, D) and class numbers (N,).
        val: features (M, D) and class numbers (M,).
        classes: K.
        settings: strengths and iterations.
    """
    features, targets = train[0], torch.from_numpy(train[1])
    mean, std = features.mean(dim=0), features.std(dim=0, correction=0)
    std = torch.where(std > 1e-6 * std.max().clamp(min=1e-12), std, torch.ones_like(std))
    standardized = (features - mean) / std
    weight = torch.zeros(classes, features.shape[1])
    bias = torch.zeros(classes)
    best: LinearHead | None = None
    for l2 in sorted(settings.l2, reverse=True):
        _minimize(standardized, targets, (weight, bias), l2, settings.iterations)
        folded = weight.double() / std.double()
        shift = bias.double() - folded @ mean.double()
        losses = [
            float(F.cross_entropy(x.double() @ folded.T + shift, torch.from_numpy(y)))
            for x, y in (train, val)
        ]
        if best is not None and losses[1] >= best.val_loss:
            break
        best = LinearHead(folded.float(), shift.float(), l2, *losses)
    if best is None:
        raise ValueError("no strength of the penalty was given")
    return best


def _minimize(
    features: Tensor,
    targets: Tensor,
    start: tuple[Tensor, Tensor],
    l2: float,
    iterations: int,
) -> None:
    """Move `start` (weight, bias) in place to the minimum for `l2`."""
    weight, bias = (tensor.requires_grad_() for tensor in start)
    optimizer = torch.optim.LBFGS(
        [weight, bias],
        max_iter=iterations,
        history_size=10,
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(features, weight, bias), targets)
        loss = loss + 0.5 * l2 * weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    weight.requires_grad_(False)  # noqa: FBT003  # torch names no argument
    bias.requires_grad_(False)  # noqa: FBT003  # torch names no argument
