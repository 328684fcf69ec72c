import pytest
import timm
import torch
import torch.nn.functional as F

from transfer.network.backbone import build_network
from transfer.network.plain import Block


@pytest.mark.parametrize(
    ("name", "millions"),
    [("plain20", 0.27), ("resnet20", 0.27), ("plain56", 0.85), ("resnet56", 0.85)],
)
def test_parameters_are_those_of_the_paper(name: str, millions: float) -> None:
    # He et al. 2016, table 6; with the classifier of CIFAR-10
    with torch.device("meta"):
        model = timm.create_model(name)
    assert round(sum(weight.numel() for weight in model.parameters()) / 1e6, 2) == millions


@pytest.mark.parametrize(("name", "layers"), [("plain20", 20), ("resnet56", 56)])
def test_layers_with_weights_are_as_many_as_the_name_says(name: str, layers: int) -> None:
    with torch.device("meta"):
        model = timm.create_model(name)
    deep = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(deep) == layers


def test_twins_have_the_same_weights_and_differ_in_what_they_say() -> None:
    plain, residual = (build_network(name, 2).backbone.eval() for name in ("plain20", "resnet20"))
    residual.load_state_dict(plain.state_dict())  # every name and shape fits
    pictures = torch.rand(2, 3, 32, 32)
    assert plain(pictures).shape == residual(pictures).shape == (2, 64)
    assert not torch.allclose(plain(pictures), residual(pictures))


def test_a_shortcut_adds_every_second_pixel_and_zeros_for_new_channels() -> None:
    torch.manual_seed(0)
    block, x = Block(4, 6, 2, shortcut=True).eval(), torch.randn(2, 4, 8, 8)
    twin = Block(4, 6, 2, shortcut=False).eval()
    twin.load_state_dict(block.state_dict())
    before = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
    assert torch.equal(twin(x), before.relu())
    expected = before.clone()
    for channel in range(4):
        for row in range(4):
            for column in range(4):
                expected[:, channel, row, column] += x[:, channel, 2 * row, 2 * column]
    assert torch.equal(block(x), expected.relu())


def test_weights_are_drawn_as_he_et_al_do() -> None:
    torch.manual_seed(0)
    weight = timm.create_model("plain20").layer3[0].conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)


def test_timm_s_own_options_are_taken() -> None:
    model = timm.create_model("resnet20", num_classes=7, in_chans=5, drop_rate=0.5)
    assert model(torch.rand(2, 5, 32, 32)).shape == (2, 7)
    assert model.pretrained_cfg["input_size"] == (3, 32, 32)
