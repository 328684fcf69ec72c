import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from transfer.errors import RecipeError
from transfer.network.heads import Cosine, Linear, ProportionalOdds, ResidualMLP
from transfer.network.objective import OBJECTIVES, Loss, build_head, class_counts, make_loss
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings, TrainingSettings

SINGLE, MULTI, ORDINAL, IDENTITY = (
    TargetKind.SINGLE_LABEL,
    TargetKind.MULTI_LABEL,
    TargetKind.ORDINAL,
    TargetKind.IDENTITY,
)
LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0]])
TARGETS = np.array([0, 1])
LABELS = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
RANKS = np.array([3, 1])  # of 4 classes
COUNTS = [60, 30, 10]


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def rows_of(
    kind: TargetKind,
    targets: np.ndarray,
    smoothing: float,
    balance: str = "none",
    strength: float = 1.0,
) -> Tensor:
    loss = loss_of(kind, smoothing, balance, strength)
    return loss.rows(torch.tensor(LOGITS), torch.tensor(targets))


def loss_of(
    kind: TargetKind, smoothing: float = 0.0, balance: str = "none", strength: float = 1.0
) -> Loss:
    settings = TrainingSettings(
        label_smoothing=smoothing, balance=balance, balance_strength=strength
    )
    return make_loss(kind, settings, COUNTS, HeadSettings(margin=0.0))


def cross_entropies(logits: np.ndarray, smoothing: float = 0.0) -> np.ndarray:
    labels = np.full((2, 3), smoothing / 3)
    labels[[0, 1], TARGETS] += 1 - smoothing
    return -(labels * np.log(softmax(logits))).sum(axis=1)


def test_every_kind_of_target_has_an_objective() -> None:
    assert set(OBJECTIVES) == set(TargetKind)


@pytest.mark.parametrize(
    ("kind", "targets", "balance"),
    [
        (SINGLE, TARGETS, "none"),
        (SINGLE, TARGETS, "weights"),
        (SINGLE, TARGETS, "focal"),
        (MULTI, LABELS.astype(np.float32), "none"),
        (MULTI, LABELS.astype(np.float32), "focal"),
        (ORDINAL, RANKS, "none"),
        (IDENTITY, TARGETS, "none"),
    ],
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_are_as_exact_as_the_logits(
    kind: TargetKind, targets: np.ndarray, balance: str, smoothing: float
) -> None:
    # A probe's line search needs the eighth digit, and targets of several labels are float32.
    rows = rows_of(kind, targets, smoothing, balance)
    assert rows.dtype == torch.float64
    assert (
        loss_of(kind, smoothing, balance)
        .rows(torch.tensor(LOGITS, dtype=torch.float32), torch.tensor(targets))
        .dtype
        == torch.float32
    )


@pytest.mark.parametrize("kind", [SINGLE, IDENTITY])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_the_loss_is_cross_entropy_with_labels_spread_over_all_classes(
    kind: TargetKind, smoothing: float
) -> None:
    rows = rows_of(kind, TARGETS, smoothing)
    assert np.allclose(rows, cross_entropies(LOGITS, smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_several_labels_is_the_mean_over_yes_no_questions(smoothing: float) -> None:
    wanted, said = LABELS * (1 - smoothing) + smoothing / 2, sigmoid(LOGITS)
    expected = -(wanted * np.log(said) + (1 - wanted) * np.log(1 - said)).mean(axis=1)
    assert np.allclose(rows_of(MULTI, LABELS, smoothing), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_ordered_classes_asks_at_each_threshold(smoothing: float) -> None:
    expected = []
    for logits, rank in zip(LOGITS, RANKS, strict=True):
        spread = np.full(4, smoothing / 4)  # over the classes, one by one
        spread[rank] += 1 - smoothing
        row = 0.0
        for threshold in range(3):
            above, said = spread[threshold + 1 :].sum(), sigmoid(logits[threshold])
            row -= above * np.log(said) + (1 - above) * np.log(1 - said)
        expected.append(row)
    assert np.allclose(rows_of(ORDINAL, RANKS, smoothing), expected)


def test_two_ordered_classes_are_a_logistic_regression() -> None:
    logits, ranks = torch.tensor([[0.3], [-1.2]]), torch.tensor([1, 0])
    expected = -np.log([sigmoid(0.3), 1 - sigmoid(-1.2)])
    assert np.allclose(OBJECTIVES[ORDINAL].loss(logits, ranks), expected)


def test_the_mean_of_the_rows_is_the_loss() -> None:
    loss = loss_of(SINGLE, 0.1)
    value = loss(torch.tensor(LOGITS), torch.tensor(TARGETS))
    assert float(value) == pytest.approx(cross_entropies(LOGITS, 0.1).mean())


@pytest.mark.parametrize("kind", [SINGLE, IDENTITY])
def test_probabilities_of_one_label_are_the_softmax(kind: TargetKind) -> None:
    said = OBJECTIVES[kind].probabilities(torch.tensor(LOGITS))
    assert np.allclose(said, softmax(LOGITS))


def test_probabilities_of_several_labels_are_independent() -> None:
    assert np.allclose(OBJECTIVES[MULTI].probabilities(torch.tensor(LOGITS)), sigmoid(LOGITS))


def test_probabilities_of_ordered_classes_are_what_lies_between_thresholds() -> None:
    logits = np.array([[2.0, 0.5, -1.0]])
    above = [1.0, *sigmoid(logits[0]), 0.0]
    expected = [above[k] - above[k + 1] for k in range(4)]
    assert np.allclose(OBJECTIVES[ORDINAL].probabilities(torch.tensor(logits)), [expected])


def test_thresholds_out_of_order_give_no_negative_probability() -> None:
    said = OBJECTIVES[ORDINAL].probabilities(torch.tensor(LOGITS))
    assert (said >= 0).all()
    assert np.allclose(said.sum(dim=1), 1)


def test_weights_are_inverse_frequencies_and_one_on_average() -> None:
    for strength in (0.5, 1.0):
        rows = rows_of(SINGLE, TARGETS, 0.0, "weights", strength).numpy()
        weights = rows / cross_entropies(LOGITS)
        assert weights[1] / weights[0] == pytest.approx((60 / 30) ** strength)
    all_rows = np.repeat([0, 1, 2], COUNTS)
    loss = loss_of(SINGLE, 0.0, "weights")
    flat = loss(torch.zeros(100, 3), torch.tensor(all_rows))  # without weights each row is log(3)
    assert float(flat) == pytest.approx(np.log(3), rel=1e-5)


def test_a_class_without_rows_takes_no_weight_from_the_others() -> None:
    settings = TrainingSettings(label_smoothing=0.0, balance="weights")
    loss = make_loss(SINGLE, settings, [4, 4, 0])
    value = loss.rows(torch.zeros(2, 3), torch.tensor([0, 1]))
    assert np.allclose(value, np.log(3))


def test_rows_are_counted_by_class_and_by_label() -> None:
    assert class_counts(np.array([0, 2, 2, 0, 2]), 4).tolist() == [2, 0, 3, 0]
    labels = np.array([[1, 0, 1], [1, 0, 0]], dtype=np.float32)
    assert class_counts(labels, 3).tolist() == [2, 0, 1]


def test_logit_adjustment_adds_log_priors() -> None:
    for strength in (0.5, 1.0):
        adjusted = LOGITS + strength * np.log(np.array(COUNTS) / 100)
        rows = rows_of(SINGLE, TARGETS, 0.1, "logit-adjustment", strength)
        assert np.allclose(rows, cross_entropies(adjusted, 0.1), atol=1e-6)


def test_single_labels_are_adjusted_half_way_unless_the_recipe_says_otherwise() -> None:
    assert np.array_equal(
        rows_of(SINGLE, TARGETS, 0.1, "auto", 0.5),
        rows_of(SINGLE, TARGETS, 0.1, "logit-adjustment", 0.5),
    )
    for kind, targets in ((MULTI, LABELS), (ORDINAL, TARGETS), (IDENTITY, TARGETS)):
        assert torch.equal(rows_of(kind, targets, 0.1, "auto"), rows_of(kind, targets, 0.1, "none"))


def test_focal_loss_scales_down_what_is_known() -> None:
    known = softmax(LOGITS)[[0, 1], TARGETS]
    rows = rows_of(SINGLE, TARGETS, 0.0, "focal")
    assert np.allclose(rows, (1 - known) ** 2 * cross_entropies(LOGITS))


def test_focal_loss_of_several_labels_is_torchvision_s() -> None:
    logits, labels = torch.tensor(LOGITS), torch.tensor(LABELS)
    expected = sigmoid_focal_loss(logits, labels, alpha=-1, gamma=2, reduction="none")
    assert torch.allclose(rows_of(MULTI, LABELS, 0.0, "focal"), expected.mean(dim=1))


def test_a_sampler_leaves_the_loss_as_it_is() -> None:
    assert np.allclose(rows_of(SINGLE, TARGETS, 0.0, "sampler"), cross_entropies(LOGITS))


@pytest.mark.parametrize(
    ("kind", "balance"),
    [
        *((MULTI, balance) for balance in ("weights", "logit-adjustment", "sampler")),
        *(
            (kind, balance)
            for kind in (ORDINAL, IDENTITY)
            for balance in ("logit-adjustment", "focal")
        ),
    ],
)
def test_a_balance_that_makes_no_sense_is_refused_with_the_ones_that_do(
    kind: TargetKind, balance: str
) -> None:
    with pytest.raises(
        RecipeError, match=f"training.balance = '{balance}' makes no sense"
    ) as caught:
        loss_of(kind, balance=balance)
    assert "take one of none" in str(caught.value)
    assert balance not in str(caught.value).partition("take one of")[2]


def test_every_other_balance_gives_one_loss_a_row() -> None:
    targets = {SINGLE: TARGETS, MULTI: LABELS, ORDINAL: np.array([2, 1]), IDENTITY: TARGETS}
    for kind, objective in OBJECTIVES.items():
        for balance in ("none", "weights", "logit-adjustment", "focal", "sampler"):
            if balance not in objective.refused:
                assert rows_of(kind, targets[kind], 0.1, balance).shape == (2,)


@pytest.mark.parametrize(
    ("kind", "head", "expected", "width"),
    [
        (SINGLE, "auto", Linear, 4),
        (SINGLE, "residual-mlp", ResidualMLP, 4),
        (SINGLE, "cosine", Cosine, 4),
        (MULTI, "auto", Linear, 4),
        (ORDINAL, "auto", ProportionalOdds, 3),
        (ORDINAL, "residual-mlp", ResidualMLP, 3),
        (IDENTITY, "auto", Cosine, 4),
    ],
)
def test_a_kind_of_target_has_its_heads(
    kind: TargetKind, head: str, expected: type, width: int
) -> None:
    built = build_head(kind, HeadSettings(kind=head), features=6, classes=4, dropout=0.0)
    assert type(built) is expected
    assert built(torch.rand(2, 6)).shape == (2, width)
    said = OBJECTIVES[kind].probabilities(built(torch.rand(2, 6)))
    assert said.shape == (2, 4)


@pytest.mark.parametrize(("kind", "head"), [(MULTI, "cosine"), (IDENTITY, "linear")])
def test_a_head_that_makes_no_sense_is_refused(kind: TargetKind, head: str) -> None:
    with pytest.raises(RecipeError, match=f"head.kind = '{head}' makes no sense for {kind}"):
        build_head(kind, HeadSettings(kind=head), features=6, classes=4, dropout=0.0)
