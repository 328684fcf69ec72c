import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from transfer.finetuning.probe import (
    AffineLoss,
    Labelled,
    LinearHead,
    cross_entropy,
    fit_head,
    fit_linear_head,
    l2_path,
)
from transfer.network.heads import Cosine, Linear, ResidualMLP
from transfer.network.objective import OBJECTIVES
from transfer.samples.target import TargetKind
from transfer.settings import ProbeSettings

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
    return fit_linear_head(
        labelled(train), labelled(val), cross_entropy(CLASSES), ProbeSettings(l2=l2, iterations=500)
    )


def labelled(part: Part, weights: Tensor | None = None) -> Labelled:
    return Labelled(part[0], torch.from_numpy(part[1]), weights)


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


@pytest.mark.usefixtures("own_caches")
def test_features_on_disk_give_the_same_bits_as_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    train, val = part(500, seed=1), part(100, seed=2)
    in_memory = fit(train, val, 0.01)
    monkeypatch.setattr("transfer.cache.scratch._MOST_BYTES", 0)
    on_disk = fit(train, val, 0.01)
    assert torch.equal(on_disk.weight, in_memory.weight)
    assert torch.equal(on_disk.bias, in_memory.bias)


def test_a_head_of_several_labels_is_a_logistic_regression_for_each() -> None:
    features, classes = part(150, seed=0)
    labels = np.stack([classes == 0, classes != 1, features[:, 0].numpy() > 5], axis=1)
    rows = Labelled(features, torch.from_numpy(labels.astype(np.float32)))
    head, l2 = Linear(WIDTH, 3), 1e-2
    losses = OBJECTIVES[TargetKind.MULTI_LABEL].loss
    fit_head(head, rows, rows, losses, ProbeSettings(l2=(l2,), iterations=500))
    logits = head(features).detach().double().numpy()
    standardized = StandardScaler().fit_transform(features.double().numpy())
    for number in range(3):
        # The loss is the mean over the labels: each has a third of it, and all of its own penalty.
        model = LogisticRegression(C=1 / (3 * l2 * len(labels)), tol=1e-10, max_iter=10_000)
        expected = model.fit(standardized, labels[:, number]).decision_function(standardized)
        assert np.abs(logits[:, number] - expected).max() < 1e-2


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


def losses(logits: Tensor, targets: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, targets, reduction="none")


@pytest.mark.parametrize(
    "head", [Linear(WIDTH, CLASSES), ResidualMLP(Linear(WIDTH, CLASSES), hidden=4, dropout=0.5)]
)
def test_an_affine_head_gets_the_minimum_of_the_loss(head: Linear | ResidualMLP) -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    settings = ProbeSettings(l2=(1e-2,))
    loss = fit_head(head.eval(), labelled(train), labelled(val), losses, settings)
    fitted = fit_linear_head(labelled(train), labelled(val), cross_entropy(CLASSES), settings)
    assert loss == pytest.approx(fitted.train_loss, rel=1e-6)
    said = labelled(val).features @ fitted.weight.T + fitted.bias
    assert torch.allclose(head(labelled(val).features), said, atol=1e-4)


def test_a_head_of_directions_gets_the_mean_direction_of_each_class() -> None:
    train, val = labelled(part(150, seed=0)), labelled(part(60, seed=1))
    head = Cosine(WIDTH, CLASSES, scale=16.0)
    loss = fit_head(head, train, val, losses, ProbeSettings())
    features = train.features / train.features.norm(dim=1, keepdim=True)
    for number, centre in enumerate(head.weight):
        mean = features[train.targets == number].mean(dim=0)
        assert torch.allclose(centre, mean / mean.norm(), atol=1e-6)
    assert loss == pytest.approx(float(losses(head(train.features), train.targets).mean()))


def test_the_path_goes_from_the_strongest_penalty_to_the_weakest_and_each_is_the_minimum() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    settings = ProbeSettings(l2=(1e-2, 1.0, 1e-1), iterations=500)
    path = list(l2_path(labelled(train), labelled(val), cross_entropy(CLASSES), settings))
    assert [head.l2 for head in path] == [1.0, 1e-1, 1e-2]
    for head in path:
        scaler, model = scikit(train, head.l2)
        expected = model.predict_proba(scaler.transform(val[0].double().numpy()))
        assert np.abs(probabilities(head, val[0]) - expected).max() < 2e-3


def test_a_row_counts_as_often_as_its_weight_says() -> None:
    train, val = part(60, seed=0), part(60, seed=1)
    weights = np.random.default_rng(2).integers(1, 4, 60)
    repeated = train[0].repeat_interleave(torch.from_numpy(weights), dim=0)
    # The standardization looks at the rows as they are: standardized before, both are the same.
    mean, std = train[0].mean(dim=0), train[0].std(dim=0, correction=0)
    settings = ProbeSettings(l2=(1e-2,), iterations=500)
    heads = []
    for features, targets, of_rows in (
        (train[0], train[1], torch.from_numpy(weights).float()),
        (repeated, np.repeat(train[1], weights), None),
    ):
        rows = labelled(((features - mean) / std, targets), of_rows)
        path = l2_path(rows, labelled(((val[0] - mean) / std, val[1])), cross_entropy(3), settings)
        heads.append(next(iter(path)))
    # A penalty on other scales differs a little; the weighted loss does not.
    assert heads[0].train_loss == pytest.approx(heads[1].train_loss, rel=1e-2)
    x = (train[0] - mean) / std
    said = (x @ heads[0].weight.T + heads[0].bias).log_softmax(dim=1).numpy()
    losses = -said[np.arange(60), train[1]]
    assert heads[0].train_loss == pytest.approx(np.average(losses, weights=weights), rel=1e-4)


def test_independent_labels_are_one_logistic_regression_each() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    settings = ProbeSettings(l2=(1e-2,), iterations=500)
    hot = {id(p): torch.from_numpy(np.eye(CLASSES)[p[1]]).float() for p in (train, val)}
    binary = AffineLoss(
        CLASSES,
        torch.zeros(CLASSES),
        lambda logits, y: F.binary_cross_entropy_with_logits(
            logits, y.to(logits), reduction="none"
        ).sum(dim=1),
    )
    head = fit_linear_head(
        Labelled(train[0], hot[id(train)]), Labelled(val[0], hot[id(val)]), binary, settings
    )
    said = torch.sigmoid(val[0].double() @ head.weight.double().T + head.bias.double()).numpy()
    scaler = StandardScaler().fit(train[0].double().numpy())
    for label in range(CLASSES):
        model = LogisticRegression(C=1 / (1e-2 * 150), tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(train[0].double().numpy()), train[1] == label)
        expected = model.predict_proba(scaler.transform(val[0].double().numpy()))[:, 1]
        assert np.abs(said[:, label] - expected).max() < 2e-3


def test_grades_share_one_direction_and_have_thresholds_of_their_own() -> None:
    # "Is the grade above k?" for each k, one weight for all: as one regression on stacked rows.
    train, val = part(150, seed=0, noise=0.5), part(60, seed=1, noise=0.5)

    def above(logits: Tensor, y: Tensor) -> Tensor:
        beyond = (y[:, None] > torch.arange(CLASSES - 1)).to(logits)
        return F.binary_cross_entropy_with_logits(logits, beyond, reduction="none").sum(dim=1)

    grades = AffineLoss(1, torch.linspace(1, -1, CLASSES - 1), above)
    head = fit_linear_head(
        labelled(train), labelled(val), grades, ProbeSettings(l2=(1e-2,), iterations=500)
    )
    assert head.weight.shape == (1, WIDTH)
    assert head.bias.shape == (CLASSES - 1,)
    scaler = StandardScaler().fit(train[0].double().numpy())
    scaled = scaler.transform(train[0].double().numpy())
    # One-hot columns for the thresholds, so large that their penalty is nothing.
    stacked = np.vstack(
        [np.hstack([scaled, 1e3 * np.eye(CLASSES - 1)[[k] * 150]]) for k in range(CLASSES - 1)]
    )
    beyond = np.concatenate([train[1] > k for k in range(CLASSES - 1)])
    model = LogisticRegression(
        C=1 / (1e-2 * 150), tol=1e-12, max_iter=100_000, fit_intercept=False, solver="newton-cg"
    ).fit(stacked, beyond)
    folded = model.coef_[0, :WIDTH] / scaler.scale_
    thresholds = 1e3 * model.coef_[0, WIDTH:] - folded @ scaler.mean_
    expected = val[0].double().numpy() @ folded[:, None] + thresholds
    logits = (val[0].double() @ head.weight.double().T + head.bias.double()).numpy()
    assert np.abs(logits - expected).max() < 2e-2


@pytest.mark.parametrize("rows", [1, 2])
def test_classes_of_one_or_two_rows_give_a_head_of_numbers(rows: int) -> None:
    targets = np.repeat(np.arange(CLASSES), rows)
    features = part(len(targets), seed=0)[0]
    features[:, 0] = 3.0  # many a feature is the same in so few rows
    train, val = (features, targets), part(CLASSES, seed=1)
    head = fit(train, val, *ProbeSettings().l2)
    assert bool(head.weight.isfinite().all() and head.bias.isfinite().all())
    assert head.weight[:, 0].abs().max() < 1e-6
    guesses = probabilities(head, features).argmax(axis=1)
    assert np.array_equal(guesses, targets)


def test_a_loss_that_is_no_number_ends_the_search() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    calls = iter(range(10**6))

    def breaking(logits: Tensor, y: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, y, reduction="none")
        return losses * float("nan") if len(y) == 60 and next(calls) > 0 else losses

    loss = AffineLoss(CLASSES, torch.zeros(CLASSES), breaking)
    head = fit_linear_head(labelled(train), labelled(val), loss, ProbeSettings(l2=(1.0, 0.1)))
    assert head.l2 == 1.0


def test_half_precision_features_are_fitted_as_they_are() -> None:
    train, val = part(150, seed=0), part(60, seed=1)
    rounded = (train[0].half(), train[1])
    head, expected = fit(rounded, val, 1e-2), fit((rounded[0].float(), train[1]), val, 1e-2)
    assert torch.equal(head.weight, expected.weight)
    assert rounded[0].dtype == torch.float16
