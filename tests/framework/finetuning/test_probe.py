import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from transfer.finetuning.devices import Compute
from transfer.finetuning.probe import LinearHead, extract_features, fit_linear_head
from transfer.network.heads import Linear
from transfer.pixels.batches import Batches
from transfer.recipe import ProbeSettings

CLASSES, WIDTH = 3, 6

Part = tuple[Tensor, np.ndarray]


def part(count: int, seed: int, noise: float = 1.5) -> Part:
    """Features of uneven scales around a centre for each class."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, CLASSES, count)
    centres = np.random.default_rng(99).normal(size=(CLASSES, WIDTH))
    features = (centres[targets] + rng.normal(0, noise, (count, WIDTH))) * 10.0 ** np.arange(
        -3, WIDTH - 3
    )
    return torch.tensor(features + 5, dtype=torch.float32), targets


def fit(train: Part, val: Part, *l2: float) -> LinearHead:
    return fit_linear_head(train, val, CLASSES, ProbeSettings(l2=l2, iterations=500))


def scikit(train: Part, l2: float) -> tuple[StandardScaler, LogisticRegression]:
    features, targets = train[0].double().numpy(), train[1]
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=1 / (l2 * len(targets)), tol=1e-10, max_iter=10_000)
    return scaler, model.fit(scaler.transform(features), targets)


def probabilities(head: LinearHead, features: Tensor) -> np.ndarray:
    logits = features.double() @ head.weight.double().T + head.bias.double()
    return logits.softmax(dim=1).numpy()


@pytest.mark.parametrize("l2", [1e-3, 1e-2, 1.0])
def test_the_head_is_scikit_learn_s_logistic_regression(l2: float) -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    head = fit(train, val, l2)
    scaler, model = scikit(train, l2)
    for features, _ in (train, val):
        expected = model.predict_proba(scaler.transform(features.double().numpy()))
        assert np.abs(probabilities(head, features) - expected).max() < 2e-3


def test_the_folded_head_gives_the_standardized_model_s_logits() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    head = fit(train, val, 1e-2)
    scaler, model = scikit(train, 1e-2)
    expected = model.decision_function(scaler.transform(val[0].double().numpy()))
    logits = (val[0].double() @ head.weight.double().T + head.bias.double()).numpy()
    # a constant added to all classes says nothing
    logits -= logits.mean(axis=1, keepdims=True)
    expected -= expected.mean(axis=1, keepdims=True)
    assert np.abs(logits - expected).max() < 1e-2
    assert np.abs(expected).max() > 1


def test_the_penalty_is_the_one_with_the_lowest_loss_on_val() -> None:
    # Few rows of much noise want a strong penalty, many of little noise a weak one.
    chosen = []
    for train, val in (
        (part(30, seed=2, noise=4), part(200, seed=3, noise=4)),
        (part(300, seed=4, noise=0.3), part(200, seed=5, noise=0.3)),
    ):
        strengths = (1e-4, 1e-2, 1.0)
        losses = {}
        for l2 in strengths:
            scaler, model = scikit(train, l2)
            said = model.predict_proba(scaler.transform(val[0].double().numpy()))
            losses[l2] = log_loss(val[1], said)
        head = fit(train, val, *strengths)
        assert head.l2 == min(losses, key=losses.__getitem__)
        assert head.val_loss == pytest.approx(losses[head.l2], abs=2e-3)
        chosen.append(head.l2)
    assert chosen[0] > chosen[1]


def test_its_losses_are_mean_cross_entropies_without_the_penalty() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    head = fit(train, val, 1e-1)
    for (features, targets), loss in ((train, head.train_loss), (val, head.val_loss)):
        right = probabilities(head, features)[np.arange(len(targets)), targets]
        assert loss == pytest.approx(-np.log(right).mean(), rel=1e-4)


def test_a_feature_that_never_changes_has_no_say() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    expected = probabilities(fit(train, val, 1e-2), val[0])
    wider = [
        (torch.cat([features, torch.full((len(features), 1), 7.0)], dim=1), targets)
        for features, targets in (train, val)
    ]
    head = fit(*wider, 1e-2)
    assert bool(head.weight.isfinite().all())
    assert head.weight[:, -1].abs().max() < 1e-6
    assert np.allclose(probabilities(head, wider[1][0]), expected, atol=1e-4)


def test_classes_that_a_line_divides_do_not_run_away() -> None:
    train, val = part(60, seed=0, noise=0.01), part(60, seed=1, noise=0.01)
    head = fit(train, val, *ProbeSettings().l2)
    assert head.val_loss < 0.01
    assert bool(head.weight.isfinite().all())


def test_a_head_is_placed_into_a_network() -> None:
    head = LinearHead(torch.rand(CLASSES, WIDTH), torch.rand(CLASSES), 0.1, 0.0, 0.0)
    linear = Linear(WIDTH, CLASSES)
    head.place(linear)
    features = torch.rand(4, WIDTH)
    assert torch.allclose(linear(features), features @ head.weight.T + head.bias)
    assert linear.weight.requires_grad


@pytest.mark.parametrize("fitted_on", [True, False])
def test_features_come_in_the_order_of_the_rows(
    build, batches: Batches, compute: Compute, *, fitted_on: bool
) -> None:
    network = build().train()
    numbers = np.array([7, 30, 2, 19, 45, 11, 28, 3, 40])
    features = extract_features(network, batches.plain(numbers), compute, fitted_on=fitted_on)
    assert features.shape == (9, network.head.in_features)
    for position, number in enumerate(numbers):
        (batch,) = batches.plain(np.array([number]))
        alone = network.eval().embed(batch.pixels)
        assert torch.allclose(features[position], alone[0], atol=1e-4)


def test_only_features_that_are_fitted_on_are_computed_in_the_training_precision(
    build, batches: Batches
) -> None:
    network, rounded = build(), Compute(torch.device("cpu"), "bf16", 1, "a test")
    exact = Compute(torch.device("cpu"), "fp32", 1, "a test")
    of_kind = {
        (compute.precision, fitted_on): extract_features(
            network, batches.plain(np.arange(8)), compute, fitted_on=fitted_on
        )
        for compute in (rounded, exact)
        for fitted_on in (True, False)
    }
    assert torch.equal(of_kind["bf16", False], of_kind["fp32", False])
    assert torch.equal(of_kind["fp32", True], of_kind["fp32", False])
    assert not torch.equal(of_kind["bf16", True], of_kind["fp32", True])
    assert all(features.dtype == torch.float32 for features in of_kind.values())
