"""What lets a card and the processor that feeds it work at the same time; on a CPU it does nothing.

A card is given its work by calls that return at once. It stands idle from the moment somebody waits
for a result, a loss for instance, until the next step has been prepared and sent to it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


class Feed:
    """Copies batches to a device; to a card while it still computes on the one before."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._beside = None
        if device.type == "cuda":
            self._beside = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return `tensor` on the device; only a copy from pinned memory goes on beside the work."""
        if self._beside is None:
            return tensor.to(self._device)
        with torch.cuda.stream(self._beside):
            copy = tensor.to(self._device, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._beside)
        copy.record_stream(computing)  # its memory is not given away before the work is done
        return copy


class LateSum:
    """The sum of scalars of a device, on the way to the processor; `float` waits for it.

    What is given to a card later is not waited for, as `Tensor.item` would.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = [part.detach().to("cpu", non_blocking=True) for part in parts]
        self._there = None
        if parts[0].is_cuda:
            self._there = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's
            self._there.record(torch.cuda.current_stream(parts[0].device))

    def __float__(self) -> float:
        """Return the sum."""
        if self._there is not None:
            self._there.synchronize()
        return float(sum(map(float, self._parts)))
