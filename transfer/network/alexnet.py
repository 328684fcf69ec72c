"""AlexNet of torchvision by the interface of timm's models: what came before residual nets."""

from typing import Any

import torchvision
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import Tensor, nn

default_cfgs = generate_default_cfgs(
    {
        "alexnet": {
            "first_conv": "features.0",
            "classifier": "classifier.6",
            "paper_ids": "arXiv:1404.5997",  # one weird trick: the version torchvision has
        }
    }
)


class AlexNet(nn.Module):
    """torchvision's layers by torchvision's names, so that its weight files fit.

    Shape:
        (B, C, S, S) of at least 63 px -> logits (B, K), or features (B, 4096) where `num_classes`
        is 0.
    """

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, drop_rate: float = 0.5) -> None:
        super().__init__()
        whole = torchvision.models.AlexNet(max(1, num_classes), dropout=drop_rate)
        self.num_classes, self.num_features, self.head_hidden_size = num_classes, 256, 4096
        self.features, self.avgpool, self.classifier = (
            whole.features,
            whole.avgpool,
            whole.classifier,
        )
        if in_chans != 3:  # noqa: PLR2004  # red, green, blue
            self.features[0] = nn.Conv2d(in_chans, 64, kernel_size=11, stride=4, padding=2)
        if not num_classes:
            self.classifier[-1] = nn.Identity()
        self.feature_info = [
            {"num_chs": width, "reduction": reduction, "module": f"features.{layer}"}
            for width, reduction, layer in ((64, 8, 2), (192, 16, 5), (256, 32, 12))
        ]

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:  # noqa: ARG002, FBT001, FBT002  # timm's interface
        """Return how timm groups the weights: layer by layer, then all that is dense."""
        return {"stem": r"^features\.0", "blocks": r"^features\.(\d+)"}

    def get_classifier(self) -> nn.Module:
        """Return the last layer."""
        last: nn.Module = self.classifier[-1]
        return last

    def forward(self, x: Tensor) -> Tensor:
        """Return logits or features."""
        out: Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return out


@register_model  # type: ignore[untyped-decorator]  # timm carries no types here
def alexnet(**options: Any) -> nn.Module:
    """Return AlexNet."""
    pretrained = options.pop("pretrained", False)
    model: nn.Module = build_model_with_cfg(AlexNet, "alexnet", pretrained, **options)
    return model
