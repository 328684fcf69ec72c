from collections import Counter

import numpy as np
import pytest
import torch

from transfer.errors import RecipeError
from transfer.finetuning.schedule import build_optimizer, learning_rate, set_learning_rate
from transfer.network.backbone import Network, build_network
from transfer.recipe import TrainingSettings

SETTINGS = TrainingSettings(layer_decay=0.7, head_lr=2.0, weight_decay=0.05)


@pytest.fixture(scope="module", params=["test_resnet", "resnet10t", "test_vit"])
def network(request: pytest.FixtureRequest) -> Network:
    return build_network(request.param, 3)


def groups_of(network: Network, settings: TrainingSettings = SETTINGS) -> dict[str, dict]:
    """Return the group that each weight is in, by the weight's name."""
    optimizer = build_optimizer(network, 0.01, settings)
    name_of = {id(weight): name for name, weight in network.named_parameters()}
    return {
        name_of[id(weight)]: group for group in optimizer.param_groups for weight in group["params"]
    }


def test_every_weight_is_in_exactly_one_group(network: Network) -> None:
    optimizer = build_optimizer(network, 0.01, SETTINGS)
    seen = Counter(id(weight) for group in optimizer.param_groups for weight in group["params"])
    assert set(seen.values()) == {1}
    assert seen.keys() == {id(weight) for weight in network.parameters()}


def test_weights_that_do_not_train_are_left_out() -> None:
    network = build_network("test_resnet", 3)
    network.backbone.requires_grad_(requires_grad=False)
    assert groups_of(network).keys() == {"head.weight", "head.bias"}


def test_norms_and_biases_do_not_decay_and_all_else_does(network: Network) -> None:
    weights = dict(network.named_parameters())
    for name, group in groups_of(network).items():
        if weights[name].ndim <= 1 or "pos_embed" in name or "cls_token" in name:
            assert group["weight_decay"] == 0.0, name
        else:
            assert group["weight_decay"] == 0.05, name


def test_each_stage_nearer_to_the_stem_learns_slower() -> None:
    groups = groups_of(build_network("resnet10t", 3))
    names = ["conv1.0", "layer1.0.conv1", "layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1"]
    scales = [groups[f"backbone.{name}.weight"]["lr_scale"] for name in names]
    # Six steps from the head down to the stem would each be 0.7 times the one above.
    assert scales == pytest.approx([0.7**step for step in (5, 4, 3, 2, 1)])
    assert groups["head.weight"]["lr_scale"] == groups["head.bias"]["lr_scale"] == 2.0
    for name, group in groups.items():
        if "layer3" in name:
            assert group["lr_scale"] == pytest.approx(0.7**2), name


@pytest.mark.parametrize("name", ["resnet50", "wide_resnet50_2", "seresnet50", "resnet152d"])
def test_however_deep_a_network_its_stages_count_and_not_its_blocks(name: str) -> None:
    with torch.device("meta"):
        network = build_network(name, 3)
    for weight, group in groups_of(network).items():
        stage = next((n for n in (1, 2, 3, 4) if f"backbone.layer{n}." in weight), 0)
        if weight.startswith("backbone."):
            assert group["lr_scale"] == pytest.approx(0.7 ** (5 - stage)), weight


def test_the_head_s_groups_come_last(network: Network) -> None:
    optimizer = build_optimizer(network, 0.01, SETTINGS)
    last = [weight for group in optimizer.param_groups[-2:] for weight in group["params"]]
    assert {id(weight) for weight in last} == {id(weight) for weight in network.head.parameters()}


def test_no_layer_decay_means_one_rate_for_the_backbone(network: Network) -> None:
    groups = groups_of(network, TrainingSettings(layer_decay=1.0, head_lr=1.0))
    assert {group["lr_scale"] for group in groups.values()} == {1.0}


def test_each_group_gets_its_share_of_the_rate() -> None:
    optimizer = build_optimizer(build_network("test_resnet", 3), 0.01, SETTINGS)
    set_learning_rate(optimizer, 0.5)
    for group in optimizer.param_groups:
        assert group["lr"] == pytest.approx(0.5 * group["lr_scale"])


@pytest.mark.parametrize("name", ["adamw", "sgd", "lamb"])
def test_any_optimizer_of_timm_takes_a_step(name: str) -> None:
    network = build_network("test_resnet", 3)
    before = network.head.bias.clone()
    optimizer = build_optimizer(network, 0.01, TrainingSettings(optimizer=name))
    network(torch.rand(2, 3, 32, 32)).square().sum().backward()
    network.head.bias.grad = torch.ones(3)
    optimizer.step()
    assert not torch.equal(network.head.bias, before)


@pytest.mark.parametrize(("wrong", "known"), [("admw", "adamw"), ("qqqqqq", "sgd")])
def test_an_unknown_optimizer_is_refused_with_some_known(wrong: str, known: str) -> None:
    with pytest.raises(RecipeError, match=f"training.optimizer = '{wrong}'") as caught:
        build_optimizer(build_network("test_resnet", 3), 0.01, TrainingSettings(optimizer=wrong))
    assert known in str(caught.value).partition("it has")[2]


def curve(steps: int, warmup: float, peak: float = 1.0) -> np.ndarray:
    return np.array([learning_rate(step, steps, peak, warmup) for step in range(steps)])


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine() -> None:
    rates = curve(100, warmup=0.2)
    assert np.allclose(rates[:20], np.arange(1, 21) / 21)
    assert np.allclose(rates[20:], np.cos(np.linspace(0, np.pi, 80, endpoint=False)) / 2 + 0.5)


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_every_step_learns_and_none_above_the_peak(steps: int, warmup: float) -> None:
    rates = curve(steps, warmup, peak=0.3)
    assert rates.min() > 0
    assert rates.max() <= 0.3
    top = int(rates.argmax())
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()


def test_without_warmup_the_first_step_has_the_peak() -> None:
    assert curve(10, warmup=0.0, peak=0.3)[0] == 0.3
