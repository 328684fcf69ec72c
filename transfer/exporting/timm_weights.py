"""The network of a run as timm builds it, so that its weights load without this framework."""

import timm
import torch
from torch import Tensor, nn

from transfer.errors import ExportError
from transfer.network.backbone import Network
from transfer.network.heads import Linear

_INSTEAD = "take torch-export, onnx or openvino, which hold the whole network"


def as_timm(network: Network) -> nn.Module:
    """Return timm's own model with a classifier, whose logits are those of `network`.

    It takes pixels that are normalized already.

    Raises:
        ExportError: no model of timm's is this network.
    """
    _check(network)
    head, name = network.head, network.name
    model: nn.Module = timm.create_model(
        name, num_classes=head.out_features, in_chans=len(network.normalization.mean)
    )
    classifier = model.get_classifier()  # type: ignore[operator]  # of every model of timm's
    if not isinstance(classifier, nn.Linear):
        raise ExportError(f"safetensors: timm's {name} ends in no linear layer; {_INSTEAD}")
    unknown = model.load_state_dict(network.backbone.state_dict(), strict=False).unexpected_keys
    if unknown or classifier.weight.shape != head.weight.shape:
        raise ExportError(
            f"safetensors: timm's {name} with a classifier is built otherwise; {_INSTEAD}"
        )
    with torch.no_grad():
        classifier.weight.copy_(head.weight)  # type: ignore[arg-type]  # of a linear head
        classifier.bias.copy_(head.bias)  # type: ignore[arg-type]  # of a linear head
    return model.eval()


class Normalized(nn.Module):
    """What stands around timm's model where its weights are used: docs/leaving.md writes it out."""

    def __init__(self, model: nn.Module, network: Network) -> None:
        super().__init__()
        self.model, self._normalization = model, network.normalization

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (B, K) of pixels (B, C, S, S) in [0, 1]."""
        mean, std = (torch.tensor(each).view(1, -1, 1, 1) for each in self._normalization)
        logits: Tensor = self.model((pixels - mean) / std)
        return logits


def _check(network: Network) -> None:
    """Refuse a network that timm alone cannot build."""
    if not isinstance(network.head, Linear):
        kind = type(network.head).__name__
        raise ExportError(f"safetensors: timm has no head like this run's ({kind}); {_INSTEAD}")
    if network.stages > 1:
        raise ExportError(
            f"safetensors: the head of this run sees {network.stages} stages, in timm the last; "
            f"{_INSTEAD}"
        )
    home = type(network.backbone).__module__
    if home.partition(".")[0] != "timm":
        raise ExportError(f"safetensors: {network.name} is no model of timm's ({home}); {_INSTEAD}")
