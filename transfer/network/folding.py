"""A copy of a network that gives the same features with less to compute."""

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_weights

from transfer.network.backbone import Network

# What reading the forward of a module without numbers may end in: it asks for a value or a length.
_UNREADABLE = (ValueError, TypeError, RuntimeError, AttributeError, AssertionError, LookupError)


def fold(network: Network, dtype: torch.dtype) -> Network:
    """Return a copy whose batch norms are part of the convolution before them, where they can be.

    In eval mode a batch norm is a factor and an offset for each channel, which the convolution's
    own weights can carry (Jacob et al. 2018, doi:10.1109/CVPR.2018.00286, section 3.2). Features
    in fp32 differ from those of `network` by rounding alone: relative error under 1e-5. Where
    something stands between convolution and batch norm, or the forward of a module cannot be read,
    it stays as it is.

    Args:
        network: in eval mode; it is not changed.
        dtype: that autocast computes convolutions in. Weights take it now, with the bits that
            autocast would give them again for every batch.
    """
    folded = copy.deepcopy(network)
    for convolution, norm in _pairs(folded.backbone):
        _merge(folded.backbone, convolution, norm)
    for module in folded.backbone.modules():
        if type(module) in {nn.Conv2d, nn.Linear}:
            module.to(dtype)
    return folded.to(memory_format=torch.channels_last)


def _pairs(backbone: nn.Module) -> list[tuple[str, str]]:
    """Return names of convolutions with that of the batch norm which alone uses what they give."""
    graph = _graph(backbone)
    if graph is None:
        return []
    modules = dict(backbone.named_modules())
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    pairs = []
    for node in graph.nodes:
        if node.op != "call_module" or not _is_plain_norm(modules[node.target]):
            continue
        before = node.args[0]
        if (
            before.op == "call_module"
            and _is_plain_convolution(modules[before.target])
            and len(before.users) == calls[before.target] == calls[node.target] == 1
        ):
            pairs.append((before.target, node.target))
    return pairs


def _is_plain_convolution(module: nn.Module) -> bool:
    # Subclasses may standardize their weight, and hooks may change it: what they do comes later.
    return type(module) is nn.Conv2d and not module._forward_pre_hooks  # noqa: SLF001  # no other way


def _is_plain_norm(module: nn.Module) -> bool:
    return type(module) in {nn.BatchNorm2d, BatchNormAct2d} and module.running_var is not None


def _merge(backbone: nn.Module, convolution: str, norm: str) -> None:
    """Let the convolution do what the batch norm does, and leave of that its activation."""
    into = cast("nn.Conv2d", backbone.get_submodule(convolution))
    away = cast("nn.BatchNorm2d", backbone.get_submodule(norm))
    mean, variance = cast("Tensor", away.running_mean), cast("Tensor", away.running_var)
    into.weight, into.bias = fuse_conv_bn_weights(
        into.weight, into.bias, mean, variance, away.eps, away.weight, away.bias
    )
    left = away.act if isinstance(away, BatchNormAct2d) else nn.Identity()
    backbone.set_submodule(norm, left)


def _graph(backbone: nn.Module) -> fx.Graph | None:
    """Return which module uses what which other gives, or None where that cannot be read.

    Modules of a kind whose forward cannot be read are taken as a whole.
    """
    whole: set[type[nn.Module]] = set()
    while True:
        tracer = _Tracer(whole)
        try:
            return tracer.trace(backbone)
        except _UNREADABLE:
            if tracer.failed is None:  # the forward of the backbone itself
                return None
            whole.add(tracer.failed)


class _Tracer(fx.Tracer):
    """Reads forwards; remembers the kind of the innermost module where that failed."""

    def __init__(self, whole: set[type[nn.Module]]) -> None:
        super().__init__()
        self._whole = whole
        self.failed: type[nn.Module] | None = None

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Say whether the forward of `m` is not looked into."""
        if isinstance(m, (nn.Conv2d, _BatchNorm)) or type(m) in self._whole:
            return True
        return super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        """Return a stand-in for what `m` gives."""
        try:
            found: object = super().call_module(m, forward, args, kwargs)
        except _UNREADABLE:
            self.failed = self.failed or type(m)
            raise
        return found
