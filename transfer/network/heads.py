"""Heads: pooled features in, logits out; each ends in an affine part that a probe can place."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transfer.settings import HeadSettings


class Linear(nn.Linear):
    """logits = features @ weight.T + bias, both zero at first: the first loss is that of a guess.

    Shape:
        features (B, D) -> logits (B, K).
    """

    def __init__(self, features: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__(features, outputs)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, K) of `features` (B, D)."""
        return super().forward(self.dropout(features))

    def place(self, weight: Tensor, bias: Tensor) -> None:
        """Copy weight (K, D) and bias (K,) into the head."""
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)


class ProportionalOdds(nn.Module):
    """Ordered classes: one direction for all and K - 1 thresholds (McCullagh 1980).

    Logit k is that of P(class > k) (Cao et al. 2020, CORAL, doi:10.1016/j.patrec.2020.11.008). At
    first all classes are equally likely.

    Shape:
        features (B, D) -> logits (B, K - 1); weight (1, D), bias (K - 1,).
    """

    def __init__(self, features: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.in_features, self.out_features = features, outputs
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(1, features))
        above = torch.arange(outputs, 0, -1) / (outputs + 1)
        self.bias = nn.Parameter(above.logit())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, K - 1) of `features` (B, D)."""
        return F.linear(self.dropout(features), self.weight) + self.bias

    def place(self, weight: Tensor, bias: Tensor) -> None:
        """Copy weight (1, D) and bias (K - 1,) into the head."""
        with torch.no_grad():
            self.weight.copy_(weight)
            self.bias.copy_(bias)


class Cosine(nn.Module):
    """logits = scale * cosine of features and class centres; nothing but the centres is learned.

    Shape:
        features (B, D) -> logits (B, K) in [-scale, scale]; weight (K, D).
    """

    def __init__(self, features: int, outputs: int, scale: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.in_features, self.out_features, self.scale = features, outputs, scale
        self.dropout = nn.Dropout(dropout)
        # No zeros here: a centre without length has no direction, and its gradient no bound.
        self.weight = nn.Parameter(torch.randn(outputs, features))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (B, K) float32 of `features` (B, D)."""
        # Half precision would round a cosine by up to scale / 256, a tenth of a logit.
        with torch.autocast(features.device.type, enabled=False):
            directions = F.normalize(self.dropout(features.float()))
            return self.scale * F.linear(directions, F.normalize(self.weight))

    def place(self, weight: Tensor, bias: Tensor | None = None) -> None:  # noqa: ARG002  # as of all heads
        """Take the class means (K, D) as centres; a cosine has no bias, what is given is unused.

        A class without rows, whose mean has no direction, keeps the centre it was drawn with.
        """
        with torch.no_grad():
            means = weight.to(self.weight.device)
            known = means.norm(dim=1, keepdim=True) > 0
            self.weight.copy_(torch.where(known, F.normalize(means), self.weight))


class ResidualMLP(nn.Module):
    """affine(x + MLP(x)): residual learning behind the pooled features (He et al. 2016).

    The last layer of the MLP is zero at first, so that training starts where the affine head alone
    would (Zhang et al. 2019, Fixup).

    Shape:
        features (B, D) -> logits as of `affine`.
    """

    def __init__(self, affine: Linear | ProportionalOdds, hidden: int, dropout: float) -> None:
        super().__init__()
        width = affine.in_features
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.affine = affine
        self.in_features, self.out_features = width, affine.out_features
        for weight in self.mlp[-1].parameters():
            nn.init.zeros_(weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits of `features` (B, D)."""
        logits: Tensor = self.affine(features + self.mlp(features))
        return logits

    def place(self, weight: Tensor, bias: Tensor) -> None:
        """Copy weight and bias into the affine part."""
        self.affine.place(weight, bias)


Head = Linear | ProportionalOdds | Cosine | ResidualMLP


def linear(features: int, outputs: int, settings: HeadSettings, dropout: float) -> Head:  # noqa: ARG001  # as of all heads
    """Return a linear head."""
    return Linear(features, outputs, dropout)


def proportional_odds(features: int, outputs: int, settings: HeadSettings, dropout: float) -> Head:  # noqa: ARG001  # as of all heads
    """Return a head for ordered classes."""
    return ProportionalOdds(features, outputs, dropout)


def cosine(features: int, outputs: int, settings: HeadSettings, dropout: float) -> Head:
    """Return a head of class centres."""
    return Cosine(features, outputs, settings.scale, dropout)


def residual_linear(features: int, outputs: int, settings: HeadSettings, dropout: float) -> Head:
    """Return a residual MLP before a linear head."""
    return ResidualMLP(Linear(features, outputs), settings.hidden, dropout)


def residual_odds(features: int, outputs: int, settings: HeadSettings, dropout: float) -> Head:
    """Return a residual MLP before a head for ordered classes."""
    return ResidualMLP(ProportionalOdds(features, outputs), settings.hidden, dropout)
