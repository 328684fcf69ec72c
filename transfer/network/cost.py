"""What a backbone costs: parameters and multiply-adds, counted without computing anything."""

from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from transfer.network.backbone import build_network


class Cost(NamedTuple):
    """Of a backbone with pooled features, classifier left out.

    Attributes:
        parameters: numbers that are learned.
        macs: multiply-adds of one picture, in convolutions and matrix products.
    """

    parameters: int
    macs: int


def count_cost(name: str, size: int) -> Cost:
    """Return what the timm model `name` costs for one picture of `size` px.

    Raises:
        RecipeError: timm has no such model, or it gives no pooled features.
        AssertionError, RuntimeError: it does not take pictures of that size.
    """
    with torch.device("meta"), torch.inference_mode():  # shapes only
        backbone = build_network(name, classes=1).backbone.eval()
        counter = FlopCounterMode(display=False)
        with counter:
            backbone(torch.zeros(1, 3, size, size))
    parameters = sum(weight.numel() for weight in backbone.parameters())
    return Cost(parameters, counter.get_total_flops() // 2)  # torch counts both of a multiply-add
