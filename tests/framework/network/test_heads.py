import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from transfer.network.heads import Cosine, Head, Linear, ProportionalOdds, ResidualMLP

B, D, K = 6, 5, 4


@pytest.fixture(autouse=True)
def _one_seed() -> None:
    torch.manual_seed(0)


def features() -> Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(1))


def test_a_linear_head_calls_all_classes_alike_at_first() -> None:
    assert torch.equal(Linear(D, K)(features()), torch.zeros(B, K))


@pytest.mark.parametrize("affine", [Linear(D, K), ProportionalOdds(D, K)])
def test_a_residual_head_starts_as_its_affine_head(affine: Linear | ProportionalOdds) -> None:
    weight = torch.randn(affine.weight.shape)
    affine.place(weight, torch.randn(K))
    expected = affine(features())
    head = ResidualMLP(affine, hidden=7, dropout=0.5)  # and whatever is dropped: it is train mode
    assert torch.equal(head(features()), expected)


def test_a_residual_head_leaves_its_start_at_the_first_step() -> None:
    head = ResidualMLP(Linear(D, K), hidden=7, dropout=0.0)
    head.place(torch.randn(K, D), torch.zeros(K))
    before = head(features())
    F.cross_entropy(before, torch.arange(B) % K).backward()
    torch.optim.SGD(head.mlp.parameters(), lr=0.1).step()
    after = head(features())
    assert not torch.equal(after, before)
    x = features()
    by_hand = x + head.mlp[3](F.gelu(head.mlp[0](x)))
    assert torch.allclose(after, by_hand @ head.affine.weight.T + head.affine.bias)


@pytest.mark.parametrize(
    ("head", "weight"),
    [
        (Linear(D, K), torch.randn(K, D)),
        (ResidualMLP(Linear(D, K), hidden=3, dropout=0.0), torch.randn(K, D)),
        (ProportionalOdds(D, K), torch.randn(1, D)),
    ],
)
def test_a_placed_head_is_the_affine_map(head: Head, weight: Tensor) -> None:
    bias = torch.randn(K)
    head.place(weight, bias)
    assert torch.allclose(head(features()), features() @ weight.T + bias)


def test_ordered_classes_are_equally_likely_at_first() -> None:
    above = ProportionalOdds(D, K)(features()).sigmoid()
    assert torch.allclose(above, torch.tensor([0.8, 0.6, 0.4, 0.2]).expand(B, K))


def test_cosine_logits_are_scaled_cosines_to_the_centres() -> None:
    head, means = Cosine(D, K, scale=10.0), torch.randn(K, D)
    head.place(means * 7)
    expected = 10 * F.cosine_similarity(features()[:, None], means[None], dim=2)
    assert torch.allclose(head(features()), expected, atol=1e-5)
    assert torch.allclose(head(features() * 3), expected, atol=1e-5)
    assert [name for name, _ in head.named_parameters()] == ["weight"]


def test_a_class_without_a_mean_keeps_its_own_centre() -> None:
    head, means = Cosine(D, K, scale=10.0), torch.randn(K, D)
    means[1], drawn = 0, head.weight[1].clone()
    head.place(means)
    assert torch.equal(head.weight[1], drawn)
    head(features()).logsumexp(dim=1).sum().backward()
    assert head.weight.grad.norm() < 1e3  # of a centre without length it would be 1e12


def test_a_cosine_is_not_rounded_by_half_precision() -> None:
    head = Cosine(D, K, scale=30.0)
    exact = head(features())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(features()), exact)


@pytest.mark.parametrize(
    "head",
    [
        Linear(D, K, dropout=0.5),
        ProportionalOdds(D, K, dropout=0.5),
        Cosine(D, K, scale=10.0, dropout=0.5),
    ],
)
def test_dropout_leaves_features_out_in_training_only(head: Head) -> None:
    head.place(torch.randn_like(head.weight), torch.zeros(K))
    drawn = [head(features()) for _ in range(2)]
    assert not torch.equal(*drawn)
    head.eval()
    assert torch.equal(head(features()), head(features()))
