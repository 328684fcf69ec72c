"""Every way of transferring once, from the starter weights to a kept run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from torch import Tensor

import transfer
from transfer.network.backbone import build_network
from transfer.network.pretrained import STARTER, starter_backbone
from transfer.network.stages import stages
from transfer.network.state import read_state
from transfer.recipe import Strategy

pytestmark = pytest.mark.slow

HEADLINE = "balanced_accuracy"
EPOCHS = {
    Strategy.PROBE: [0],
    Strategy.LP_FT: [0, 1, 2],
    Strategy.GRADUAL: [0, 1, 2],
    Strategy.PARTIAL: [0, 1, 2],
    Strategy.FINETUNE: [1, 2],
    Strategy.SCRATCH: [1, 2],
}
# Eight rows a step are too few for statistics of their own; some take those of all rows first.
NEW_STATISTICS = {Strategy.LP_FT, Strategy.GRADUAL, Strategy.SCRATCH}
# A probe so poor that training has something to add: else the kept weights may be the probe's.
POOR = {"probe": {"l2": [1e6], "iterations": 1}}


@pytest.fixture
def taught(
    first: Any, kept: Callable[[str], Any], class_folders: Callable[..., Path]
) -> Callable[..., tuple[Any, Any]]:
    """Teach the starter network three shades of grey; return the result and what was kept."""
    data = class_folders({"dark": 20, "grey": 20, "light": 20})

    def teach(strategy: Strategy) -> tuple[Any, Any]:
        result = transfer.fit(
            "labelled_images",
            data,
            weights="none" if strategy is Strategy.SCRATCH else "starter",
            backbone=starter_backbone(),
            strategy=strategy,
            epochs=2,
            size=32,
            batch_size=8,
            settings=POOR if strategy is not Strategy.PROBE else None,
            name=f"by {strategy} {uuid4().hex[:6]}",  # no two at once may choose the same
            out=first.out,
        )
        return result, kept(result.name)

    return teach


def frozen_names(strategy: Strategy) -> set[str]:
    """Return the tensors of the backbone that may not move: weights and batch statistics."""
    backbone = build_network(starter_backbone(), 2).backbone
    count = len(stages(backbone))
    first = {Strategy.PROBE: count, Strategy.PARTIAL: -(-count // 2)}.get(strategy, 0)
    modules = {
        name.rpartition(".")[0] for stage in stages(backbone)[:first] for name in stage.parameters
    }
    return {name for name in backbone.state_dict() if name.rpartition(".")[0] in modules}


def moved(kept: Any) -> dict[str, bool]:
    """Return for each tensor of the kept backbone whether it differs from the starter's."""
    before = read_state(STARTER)
    state = read_state(kept.model / "network.safetensors")
    return {
        name: not same_bits(tensor, before[name])
        for name, tensor in state.items()
        if not name.startswith("head.") and not name.endswith("num_batches_tracked")
    }


def same_bits(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.numpy().tobytes() == other.numpy().tobytes()


def alike_to_the_starter(kept: Any) -> set[str]:
    """Return the kernels that have something of the starter's."""
    before = read_state(STARTER)
    state = read_state(kept.model / "network.safetensors")
    pairs = {
        n: torch.stack([t.flatten(), before[n].flatten()]) for n, t in state.items() if t.ndim == 4
    }
    return {name for name, pair in pairs.items() if torch.corrcoef(pair)[0, 1].abs() >= 0.5}


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_strategy_ends_with_its_best_epoch_and_moves_what_it_should(
    taught: Callable[..., tuple[Any, Any]], strategy: Strategy
) -> None:
    result, kept = taught(strategy)
    assert (result.status, kept.run.status, result.ended) == ("FINISHED", "FINISHED", "completed")
    said = kept.history(f"epoch/{HEADLINE}")
    assert sorted(said) == EPOCHS[strategy]
    assert said[result.epoch] == max(said.values()) == result.val[HEADLINE]
    assert kept.run.tags["transfer.kept_epoch"] == str(result.epoch)
    assert result.test[HEADLINE] > 1 / 3
    assert (result.epoch == 0) == (strategy is Strategy.PROBE)

    found, frozen = moved(kept), frozen_names(strategy)
    assert not {name for name in frozen if found.get(name)}
    weights = {name for name in found if "running_" not in name} - frozen
    if strategy is Strategy.GRADUAL and result.epoch == 1:  # by then only the last stage is open
        weights = {name for name in weights if name.startswith("layer4")}
    assert {name for name in weights if not found[name]} == set()
    assert (weights == set()) == (strategy is Strategy.PROBE)
    statistics = {differs for name, differs in found.items() if "running_" in name}
    assert statistics == {strategy in NEW_STATISTICS}
    if strategy is Strategy.SCRATCH:
        assert kept.run.tags["transfer.weights"] == "none"
        assert not alike_to_the_starter(kept)
