import io
import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
import torch

from transfer.errors import RecipeError
from transfer.finetuning.schedule import (
    Schedule,
    build_optimizer,
    learning_rate,
    one_cycle,
    set_learning_rate,
)
from transfer.network.backbone import Network, build_network
from transfer.settings import TrainingSettings

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


def step(network: Network, optimizer: torch.optim.Optimizer, number: int) -> None:
    draw = torch.Generator().manual_seed(number)
    set_learning_rate(optimizer, 1e-3 * (number + 1))
    optimizer.zero_grad(set_to_none=True)
    network(torch.rand(4, 3, 32, 32, generator=draw)).square().sum().add(1).log().backward()
    optimizer.step()


@pytest.mark.parametrize(
    "name",
    [
        *("adamw", "sgd", "momentum", "lamb", "lion", "nadamw", "radam", "adafactor", "adan"),
        *("rmsproptf", "adabelief", "madgrad", "mars", "muon", "lookahead_adamw"),
    ],
)
def test_an_optimizer_goes_on_bit_for_bit_from_its_saved_state(name: str) -> None:
    def start() -> tuple[Network, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = build_network("test_resnet", 3)
        torch.nn.init.normal_(network.head.weight)
        return network, build_optimizer(network, 1e-3, TrainingSettings(optimizer=name))

    network, optimizer = start()
    first = network.head.weight.detach().clone()
    for number in range(3):
        step(network, optimizer, number)
    file = io.BytesIO()
    torch.save((network.state_dict(), optimizer.state_dict()), file)
    for number in range(3, 6):
        step(network, optimizer, number)

    again, other = start()
    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    again.load_state_dict(weights)
    other.load_state_dict(state)
    for number in range(3, 6):
        step(again, other, number)
    assert not torch.equal(network.head.weight, first)
    for key, tensor in network.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[key]), key


@pytest.mark.parametrize("name", ["adahessian", "kron", "lookahead_kronw", "bnbadam8bit"])
def test_an_optimizer_that_may_not_go_on_exactly_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"training.optimizer = '{name}' is refused"):
        build_optimizer(build_network("test_resnet", 3), 0.01, TrainingSettings(optimizer=name))


def test_sgd_has_nesterov_momentum_and_a_decay_of_its_own() -> None:
    network = build_network("test_resnet", 3)
    optimizer = build_optimizer(network, 0.01, TrainingSettings(optimizer="sgd"))
    assert {(group["momentum"], group["nesterov"]) for group in optimizer.param_groups} == {
        (0.9, True)
    }
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 1e-4}


def dummy(lr: float) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def test_one_cycle_is_torch_s_with_a_lower_end() -> None:
    steps, rising, peak = 40, 12, 0.3
    optimizer = dummy(peak)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=peak,
        total_steps=steps,
        pct_start=(rising + 1) / steps,  # torch counts the peak itself to the rise
        div_factor=25,
        final_div_factor=400,  # of the first rate, hence 10,000 of the peak
        cycle_momentum=False,
    )
    expected = []
    for _ in range(steps - 1):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    expected.append(optimizer.param_groups[0]["lr"])
    ours = [one_cycle(number, steps, peak, rising / steps) for number in range(steps)]
    assert ours == pytest.approx(expected)
    assert ours[0] == pytest.approx(peak / 25)
    assert ours[rising] == peak
    assert ours[-1] == pytest.approx(peak / 10_000)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("warmup", [0.0, 0.3, 0.99])
@pytest.mark.parametrize("name", ["cosine", "one-cycle", "plateau"])
def test_no_step_of_any_schedule_is_above_the_peak_or_zero(
    name: str, steps: int, warmup: float
) -> None:
    schedule = Schedule(TrainingSettings(schedule=name, warmup=warmup), 0.3, steps)
    rates = [schedule.rate(number) for number in range(steps)]
    assert min(rates) > 0
    assert max(rates) <= 0.3


SCORES = [0.1, 0.3, 0.3, 0.2, math.nan, 0.25, 0.31, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.32, 0.1, 0.1]


@pytest.mark.parametrize("patience", [0, 1, 2, 5])
def test_plateau_cuts_when_torch_s_does(patience: int) -> None:
    optimizer = dummy(1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=0.1, patience=patience, threshold=0, eps=0
    )
    settings = TrainingSettings(schedule="plateau", plateau_patience=patience, warmup=0.0)
    ours = Schedule(settings, 1.0, 100)
    for number, score in enumerate(SCORES):
        theirs.step(score)
        ours.hear(score)
        assert ours.rate(number) == pytest.approx(optimizer.param_groups[0]["lr"])
    assert ours.rate(0) < 1


def test_plateau_warms_up_in_a_line_and_stays_at_the_peak() -> None:
    schedule = Schedule(TrainingSettings(schedule="plateau", warmup=0.2), 0.3, 20)
    rates = [schedule.rate(number) for number in range(20)]
    assert rates == pytest.approx([0.06, 0.12, 0.18, 0.24] + [0.3] * 16)


@pytest.mark.parametrize("told", range(len(SCORES)))
def test_a_schedule_goes_on_from_its_saved_state(told: int) -> None:
    settings = TrainingSettings(schedule="plateau", plateau_patience=1)
    whole, first, second = (Schedule(settings, 1.0, 100) for _ in range(3))
    for score in SCORES:
        whole.hear(score)
    for score in SCORES[:told]:
        first.hear(score)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for score in SCORES[told:]:
        second.hear(score)
    assert second.state_dict() == whole.state_dict()
    assert second.rate(50) == whole.rate(50)


@pytest.mark.parametrize("name", ["cosine", "one-cycle"])
def test_other_schedules_do_not_listen(name: str) -> None:
    settings = TrainingSettings(schedule=name, plateau_patience=0)
    told, untold = Schedule(settings, 1.0, 30), Schedule(settings, 1.0, 30)
    for score in itertools.repeat(0.0, 5):
        told.hear(score)
    assert [told.rate(n) for n in range(30)] == [untold.rate(n) for n in range(30)]
