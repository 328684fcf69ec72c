"""CIFAR-size residual nets and their plain twins, registered with timm (He et al. 2016).

Section 4.2 of doi:10.1109/CVPR.2016.90: a 3 x 3 convolution, then 2n layers each of 16, 32 and 64
channels, 6n + 2 layers with the classifier. Shortcuts are the identity, with zeros for new channels
(option A), so that a plain net has the very same weights and lacks nothing but the sum.
"""

from typing import Any

import torch.nn.functional as F
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

_WIDTHS = (16, 32, 64)
_OF_CIFAR_10 = {
    "input_size": (3, 32, 32),
    "pool_size": (8, 8),
    "mean": (0.4914, 0.4822, 0.4465),
    "std": (0.2470, 0.2435, 0.2616),
    "num_classes": 10,
    "first_conv": "conv1",
    "classifier": "fc",
    "paper_ids": "arXiv:1512.03385",
}
default_cfgs = generate_default_cfgs(
    {name: dict(_OF_CIFAR_10) for name in ("plain20", "plain56", "resnet20", "resnet56")}
)


class Block(nn.Module):
    """Two 3 x 3 convolutions, with the input added to what they give unless `shortcut` is off.

    Shape:
        (B, C, S, S) -> (B, C', S / stride, S / stride).
    """

    def __init__(self, width_in: int, width: int, stride: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self._stride, self._more, self._shortcut = stride, width - width_in, shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return the features of the next layer."""
        y: Tensor = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self._shortcut:
            sampled = x[:, :, :: self._stride, :: self._stride]
            y = y + F.pad(sampled, (0, 0, 0, 0, 0, self._more))
        return F.relu(y)


class CifarNet(nn.Module):
    """A net of 6n + 2 layers for small pictures, by the interface of timm's models.

    Shape:
        (B, C, S, S) -> logits (B, K), or pooled features (B, 64) where `num_classes` is 0.
    """

    def __init__(
        self,
        *,
        blocks: int,
        shortcut: bool,
        num_classes: int = 10,
        in_chans: int = 3,
        drop_rate: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes, self.num_features = num_classes, _WIDTHS[-1]
        self.head_hidden_size = self.num_features
        self.conv1 = nn.Conv2d(in_chans, _WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_WIDTHS[0])
        self.feature_info = []
        before = _WIDTHS[0]
        for number, width in enumerate(_WIDTHS, start=1):
            strides = [1 if number == 1 else 2] + [1] * (blocks - 1)
            layer = nn.Sequential()
            for stride in strides:
                layer.append(Block(before, width, stride, shortcut=shortcut))
                before = width
            self.add_module(f"layer{number}", layer)
            entry = {"num_chs": width, "reduction": 2 ** (number - 1), "module": f"layer{number}"}
            self.feature_info.append(entry)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(before, num_classes) if num_classes else nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # He et al. 2015, doi:10.1109/ICCV.2015.123
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:  # noqa: FBT001, FBT002  # timm's interface
        """Return how timm groups the weights: by stage, or by block."""
        blocks = r"^layer(\d+)" if coarse else [(r"^layer(\d+)\.(\d+)", None)]
        return {"stem": r"^conv1|bn1", "blocks": blocks}

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        return self.fc

    def forward_features(self, x: Tensor) -> Tensor:
        """Return feature maps (B, 64, S / 4, S / 4)."""
        x = F.relu(self.bn1(self.conv1(x)))
        for number in range(1, len(_WIDTHS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return logits or pooled features."""
        out: Tensor = self.fc(self.drop(self.forward_features(x).mean(dim=(2, 3))))
        return out


def _build(name: str, blocks: int, options: dict[str, Any], *, shortcut: bool) -> nn.Module:
    pretrained = options.pop("pretrained", False)
    model: nn.Module = build_model_with_cfg(
        CifarNet, name, pretrained, blocks=blocks, shortcut=shortcut, **options
    )
    return model


@register_model  # type: ignore[untyped-decorator]  # timm carries no types here
def plain20(**options: Any) -> nn.Module:
    """Return the plain net of 20 layers."""
    return _build("plain20", 3, options, shortcut=False)


@register_model  # type: ignore[untyped-decorator]  # see above
def plain56(**options: Any) -> nn.Module:
    """Return the plain net of 56 layers."""
    return _build("plain56", 9, options, shortcut=False)


@register_model  # type: ignore[untyped-decorator]  # see above
def resnet20(**options: Any) -> nn.Module:
    """Return the residual net of 20 layers."""
    return _build("resnet20", 3, options, shortcut=True)


@register_model  # type: ignore[untyped-decorator]  # see above
def resnet56(**options: Any) -> nn.Module:
    """Return the residual net of 56 layers."""
    return _build("resnet56", 9, options, shortcut=True)
