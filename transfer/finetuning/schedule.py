"""Optimizer, layer-wise learning rates and the learning-rate curve."""

import difflib
import math
from collections.abc import Mapping

import timm.optim
from torch import nn
from torch.optim import Optimizer

from transfer.errors import RecipeError
from transfer.network.backbone import Network
from transfer.network.stages import stages
from transfer.settings import TrainingSettings

_CUT = 0.1
# A run that was killed continues bit for bit, whatever the optimizer: those that cannot stay out.
_REFUSED = {
    "adahessian": "it needs gradients of gradients",
    "kron": "its own random state is not saved by every version of timm",
    "bnb": "bitsandbytes was never seen to continue a run bit for bit",
    "fused": "apex was never seen to continue a run bit for bit",
}
# torch has one kernel for a whole step of these on a card; without it each weight waits its turn.
_FUSED = ("adam", "adamw", "sgd", "momentum", "nesterov")


def check_optimizer(name: str) -> None:
    """Refuse an optimizer that timm does not have, or that a run could not be continued with.

    Raises:
        RecipeError: with the names that are near it.
    """
    known = timm.optim.list_optimizers()
    bare = name.lower().removeprefix("lookahead_")  # timm's way to wrap any other
    if bare not in known:
        near = difflib.get_close_matches(name, known)
        raise RecipeError(
            f"training.optimizer = {name!r}: timm has none of that name; "
            f"among others it has {', '.join(near or ('adamw', 'sgd'))}"
        )
    for prefix, reason in _REFUSED.items():
        if bare.startswith(prefix):
            raise RecipeError(
                f"training.optimizer = {name!r} is refused: {reason}; take adamw or sgd"
            )


def build_optimizer(network: Network, lr: float, settings: TrainingSettings) -> Optimizer:
    """Return an optimizer over the trainable weights of `network`.

    The head learns at `lr * head_lr`; each stage of the backbone nearer to the input learns
    `layer_decay` times slower (Clark et al. 2020, ELECTRA). Norms and biases are not decayed.
    Every group carries "lr_scale", its share of the learning rate.

    Raises:
        RecipeError: timm has no optimizer of that name, or a run could not be continued with it.
    """
    check_optimizer(settings.optimizer)
    groups = _backbone_groups(network.backbone, settings) + _head_groups(network.head, settings)
    on_card = next(network.parameters()).is_cuda
    fused = {"fused": True} if on_card and settings.optimizer.lower() in _FUSED else {}
    optimizer: Optimizer = timm.optim.create_optimizer_v2(
        groups, opt=settings.optimizer, lr=lr, weight_decay=settings.decay, **fused
    )
    return optimizer


class Schedule:
    """The learning-rate curve of one training: the loop asks `rate` of it and tells it the scores.

    Cosine and one-cycle are functions of the step alone. Plateau remembers how often it cut the
    rate, and when last the headline rose: that is its state. Momentum is left alone by all three;
    the original one-cycle moves it against the rate, but Adam's averages gain nothing from that.
    """

    def __init__(self, settings: TrainingSettings, peak: float, steps: int) -> None:
        """Keep the shape of the curve.

        Args:
            settings: schedule, warm-up and patience.
            peak: the highest rate.
            steps: all steps of the training.
        """
        self._settings, self._peak, self._steps = settings, peak, steps
        self._best, self._stale_epochs, self._cuts = -math.inf, 0, 0

    def rate(self, step: int) -> float:
        """Return the rate of `step` (0..steps-1)."""
        peak, warmup = self._peak, self._settings.warmup
        if self._settings.schedule == "one-cycle":
            return one_cycle(step, self._steps, peak, warmup)
        if self._settings.schedule == "cosine":
            return learning_rate(step, self._steps, peak, warmup)
        return _rise(step, round(warmup * self._steps), peak) * _CUT**self._cuts

    def hear(self, score: float) -> None:
        """Take note of an epoch's headline, higher is better; plateau may cut the rate for it.

        It counts as `torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max", threshold=0)` does:
        the epoch after `plateau_patience` epochs without a better one cuts. No number is no gain.
        """
        self._stale_epochs = 0 if score > self._best else self._stale_epochs + 1
        self._best = max(self._best, score)  # in this order a NaN leaves the best as it was
        if self._stale_epochs > self._settings.plateau_patience:
            self._cuts, self._stale_epochs = self._cuts + 1, 0

    def state_dict(self) -> dict[str, float]:
        """Return all that `hear` changes; `best` is -inf before the first score."""
        return {"best": self._best, "stale_epochs": self._stale_epochs, "cuts": self._cuts}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Go on from where `state_dict` was taken."""
        self._best = float(state["best"])
        self._stale_epochs, self._cuts = int(state["stale_epochs"]), int(state["cuts"])


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the rate of `step` (0..steps-1): a linear rise over `warmup`, then half a cosine to 0.

    Args:
        step: which step of the run.
        steps: all of them.
        peak: the highest rate.
        warmup: share of the steps that rise.
    """
    rising = round(warmup * steps)
    if step < rising:
        return _rise(step, rising, peak)
    return _half_cosine(peak, 0.0, (step - rising) / max(1, steps - rising))


def one_cycle(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the rate of `step`: half a cosine from peak / 25 up, then one down to peak / 10,000.

    Smith & Topin 2019, doi:10.1117/12.2520589, with the rounded ramps that fastai found better.

    Args:
        step: which step of the run.
        steps: all of them; the last one has the lowest rate.
        peak: the highest rate, of the step behind the rise.
        warmup: share of the steps that rise.
    """
    rising = round(warmup * steps)
    if step < rising:
        return _half_cosine(peak / 25, peak, step / rising)
    return _half_cosine(peak, peak / 10_000, (step - rising) / max(1, steps - 1 - rising))


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every group of `optimizer` its share of `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def _rise(step: int, rising: int, peak: float) -> float:
    """Return the rate on a line that reaches `peak` at step `rising` and stays there."""
    return peak * min(1.0, (step + 1) / (rising + 1))


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def _backbone_groups(backbone: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    # What its authors ask for
    as_they_are: frozenset[str] = getattr(backbone, "no_weight_decay", frozenset)()
    groups: list[dict[str, object]] = []
    found = stages(backbone)
    for number, stage in enumerate(found):
        weights = [(name, backbone.get_parameter(name)) for name in stage.parameters]
        plain = [w for name, w in weights if w.ndim <= 1 or name in as_they_are]
        decayed = [w for name, w in weights if w.ndim > 1 and name not in as_they_are]
        scale = settings.layer_decay ** (len(found) - number)
        groups += _groups(decayed, plain, scale, settings.decay)
    return groups


def _head_groups(head: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    decayed = [weight for weight in head.parameters() if weight.ndim > 1]
    plain = [weight for weight in head.parameters() if weight.ndim <= 1]
    return _groups(decayed, plain, settings.head_lr, settings.decay)


def _groups(
    decayed: list[nn.Parameter], plain: list[nn.Parameter], scale: float, weight_decay: float
) -> list[dict[str, object]]:
    """Return what of `decayed` and `plain` trains, in groups for an optimizer."""
    parts = (
        ([w for w in decayed if w.requires_grad], weight_decay),
        ([w for w in plain if w.requires_grad], 0.0),
    )
    return [
        {"params": weights, "weight_decay": decay, "lr_scale": scale}
        for weights, decay in parts
        if weights
    ]
