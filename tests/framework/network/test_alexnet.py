import torch
import torchvision

from transfer.network.backbone import build_network, check_size
from transfer.network.state import load_backbone


def test_weights_by_torchvision_s_names_fit_and_give_its_features() -> None:
    torch.manual_seed(0)
    whole = torchvision.models.AlexNet(num_classes=3).eval()
    network = build_network("alexnet", 2).eval()
    assert load_backbone(network, whole.state_dict(), "a file") == []
    pictures = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        features = network.backbone(pictures)
        assert features.shape == (1, network.head.in_features) == (1, 4096)
        assert torch.allclose(whole.classifier[-1](features), whole(pictures), atol=1e-5)


def test_other_bands_and_sizes() -> None:
    check_size("alexnet", 64)
    with torch.device("meta"):
        model = torch.nn.Sequential(build_network("alexnet", 2).backbone)
    assert model(torch.zeros(2, 3, 96, 96, device="meta")).shape == (2, 4096)
