"""A moving average of the weights: judged and kept in place of the weights themselves."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from timm.utils import ModelEmaV3
from torch import nn

from transfer.network.backbone import Network

# The decay after t updates is at most 1 - t^-3/4: 0.9 after 22, 0.99 after 465, 0.999 after 10,000;
# timm's advice for runs of under a million steps.
_WARMUP_POWER = 0.75


class WeightAverage:
    """The exponential moving average of a network's weights and running statistics.

    Its decay rises from 0, so that a short run is not stuck at where it started; what is frozen in
    the network stays bit-identical in the average.

    Attributes:
        network: the average, in eval mode; validate and keep this one.
    """

    def __init__(self, network: Network, decay: float) -> None:
        """Start from the weights of `network` as they are.

        Args:
            network: in its memory format, on its device.
            decay: share of the average that each update keeps, once it is warm; `training.ema`.
        """
        self._average = ModelEmaV3(
            network, decay=decay, use_warmup=True, warmup_power=_WARMUP_POWER
        )
        self.network = cast("Network", self._average.module)
        self.network.requires_grad_(requires_grad=False)
        self._updates = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Draw the average nearer to `network`; call it after each step of the optimizer."""
        self._updates += 1
        self._average.update(network, step=self._updates)
        for source, average in zip(network.modules(), self.network.modules(), strict=True):
            _copy_frozen(source, average)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of updates: tensors and numbers, copied."""
        weights = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        return {"weights": weights, "updates": self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self.network.load_state_dict(state["weights"])
        self._updates = int(state["updates"])


def _copy_frozen(source: nn.Module, average: nn.Module) -> None:
    """Copy what does not move: averaging a number with itself still turns -0.0 into 0.0."""
    of_source, of_average = (module.parameters(recurse=False) for module in (source, average))
    for weight, own_weight in zip(of_source, of_average, strict=True):
        if not weight.requires_grad:
            own_weight.copy_(weight)
    if not source.training:
        buffers = zip(source.buffers(recurse=False), average.buffers(recurse=False), strict=True)
        for buffer, own_buffer in buffers:
            own_buffer.copy_(buffer)
