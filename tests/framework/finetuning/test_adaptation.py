from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from transfer.finetuning.adaptation import adapt_statistics
from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network, build_network
from transfer.pixels.batches import Batch, Batches

ROWS = np.arange(32)  # four batches
Build = Callable[..., Network]


def norms_of(network: Network) -> dict[str, torch.nn.BatchNorm2d]:
    return {
        name: module
        for name, module in network.backbone.named_modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    }


def naive_statistics(
    network: Network, batches: Iterator[Batch]
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return mean and variance of what goes into each norm, averaged over the batches."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = defaultdict(list)

    def listen(name: str) -> Callable[..., None]:
        def hear(_: object, inputs: tuple[Tensor, ...]) -> None:
            by_channel = inputs[0].transpose(0, 1).flatten(start_dim=1).double()
            seen[name].append((by_channel.mean(dim=1), by_channel.var(dim=1, correction=1)))

        return hear

    for name, module in norms_of(network).items():
        module.register_forward_pre_hook(listen(name))
    network.train()
    with torch.no_grad():
        for batch in batches:
            network(batch.pixels)
    return {
        name: tuple(torch.stack(numbers).mean(dim=0) for numbers in zip(*pairs, strict=True))
        for name, pairs in seen.items()
    }


def test_statistics_equal_those_computed_naively(
    build: Build, batches: Batches, compute: Compute
) -> None:
    expected = naive_statistics(build(), batches.plain(ROWS))
    network = build()
    adapt_statistics(network, batches.plain(ROWS), compute)
    norms = norms_of(network)
    assert norms.keys() == expected.keys()
    for name, (mean, var) in expected.items():
        assert torch.allclose(norms[name].running_mean.double(), mean, atol=1e-4), name
        assert torch.allclose(norms[name].running_var.double(), var, rtol=1e-3), name


def test_no_weight_moves_and_what_was_known_before_is_forgotten(
    build: Build, batches: Batches, compute: Compute
) -> None:
    network, untouched = build(), build()
    with torch.no_grad():
        for module in norms_of(network).values():
            module.running_mean.fill_(1e6)
    adapt_statistics(network, batches.plain(ROWS), compute)
    for name, weight in untouched.named_parameters():
        assert torch.equal(network.get_parameter(name), weight)
    assert all(module.running_mean.abs().max() < 100 for module in norms_of(network).values())


@pytest.mark.parametrize("fails", [False, True])
def test_the_norms_are_left_as_they_were(
    build: Build, batches: Batches, compute: Compute, *, fails: bool
) -> None:
    def broken() -> Iterator[Batch]:
        yield next(iter(batches.plain(ROWS)))
        raise KeyboardInterrupt

    network = build().train()
    momenta = [module.momentum for module in norms_of(network).values()]
    if fails:
        with pytest.raises(KeyboardInterrupt):
            adapt_statistics(network, broken(), compute)
    else:
        adapt_statistics(network, batches.plain(ROWS), compute)
    assert [module.momentum for module in norms_of(network).values()] == momenta
    assert not any(module.training for module in network.modules())


def test_a_network_without_batch_norm_stays_as_it_is(batches: Batches, compute: Compute) -> None:
    network = build_network("test_convnext", 3)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    adapt_statistics(network, batches.plain(ROWS), compute)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
