"""The network that a run starts from: drawn, given weights, or given back its place."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from transfer.assembly import Place, assemble
from transfer.continuation import Continuation, card_of
from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network, Normalization, build_network
from transfer.network.heads import ResidualMLP
from transfer.network.pretrained import STARTER
from transfer.network.state import read_state
from transfer.overlay import Layer
from transfer.plan import Plan, make_plan
from transfer.plugin.discovery import load_task
from transfer.progress import Silent
from transfer.rows import Rows

pytestmark = pytest.mark.usefixtures("own_caches")

COMPUTE = Compute(torch.device("cpu"), "fp32", 1, "a test")
UNEVEN = Normalization((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))


def no_run(name: str) -> Path:
    pytest.fail(f"run {name} was looked for")


@pytest.fixture
def planned(class_folders: Callable[..., Path]) -> Callable[..., Plan]:
    data = class_folders({"cat": 6, "dog": 6, "newt": 6})

    def plan(**settings: Any) -> Plan:
        layers = [Layer("test", {"size": 32, **settings})]
        task = load_task("labelled_images")
        return make_plan(task, data, layers, find_model=no_run, progress=Silent())

    return plan


def assembled(plan: Plan, continued: Continuation | None = None) -> tuple[Network, str]:
    rows = Rows(plan, COMPUTE, Silent())
    place = Place(no_run, lambda _: pytest.fail("a folder was asked for"), continued)
    return assemble(plan, rows, place, Silent())


def same(one: Network, other: Network) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


def test_random_weights_are_drawn_by_the_seed(planned: Callable[..., Plan]) -> None:
    networks = []
    for seed in (0, 0, 1):
        torch.rand(1)  # whatever was drawn before
        network, source = assembled(planned(backbone="test_resnet", weights="none", seed=seed))
        assert source == "none"
        networks.append(network)
    assert same(networks[0], networks[1])
    assert not same(networks[0], networks[2])


def test_weights_from_a_file_come_with_their_normalization(planned: Callable[..., Plan]) -> None:
    network, source = assembled(planned(weights="starter"))
    assert source == "starter"
    state = network.backbone.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in read_state(STARTER).items()
               if name in state)  # fmt: skip
    assert network.normalization == Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[Plan], Continuation]:
    """Leave what a run needs to go on; it had weights from elsewhere, and measured its pixels."""

    def begin(plan: Plan) -> Continuation:
        network = build_network("test_resnet", 3, UNEVEN)
        card = card_of(plan, {}, network, weights="from elsewhere", log_pictures=True, processes=1)
        return Continuation.begin(tmp_path / "0123", card, plan.manifest)

    return begin


def test_a_run_that_goes_on_does_not_ask_for_its_first_weights(
    planned: Callable[..., Plan],
    begun: Callable[[Plan], Continuation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = planned(backbone="test_resnet", weights="none", head={"kind": "residual-mlp"})
    continued = begun(plan)
    continued.checkpoints.save({"the network": torch.ones(1)}, 1)
    monkeypatch.setattr("transfer.assembly.load_weights", lambda *_: pytest.fail("asked"))
    network, source = assembled(plan, continued)
    assert (source, network.normalization) == ("from elsewhere", UNEVEN)
    assert isinstance(network.head, ResidualMLP)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_as_it_did(
    planned: Callable[..., Plan], begun: Callable[[Plan], Continuation]
) -> None:
    plan = planned(backbone="test_resnet", weights="none", seed=3)
    network, source = assembled(plan, begun(plan))
    first, _ = assembled(plan)
    assert source == "none"
    assert same(network, first)
    assert network.normalization == first.normalization != UNEVEN
