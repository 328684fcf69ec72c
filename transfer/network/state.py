"""Weights in files: read without trusting them, matched by name and shape."""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from transfer.errors import WeightsError
from transfer.network.backbone import Network
from transfer.network.stem import Stem, adapt_stem, first_weights

SUFFIXES = frozenset({".safetensors", ".pth", ".pt", ".bin"})
_WRAPPERS = ("state_dict", "model")
_PREFIXES = ("module.", "backbone.")
_STARTS = (b"PK\x03\x04", b"\x80")  # a zip archive; before torch 1.6 a pickle


def read_card(path: Path) -> dict[str, Any]:
    """Return the JSON of the card `path`, empty where there is none.

    Raises:
        WeightsError: the card cannot be read as a JSON object.
    """
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"the card {str(path)!r} is no JSON: {error}") from error
    if not isinstance(card, dict):
        raise WeightsError(f"the card {str(path)!r} holds no object")
    return card


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the backbone tensors of a file by timm's names, as float32.

    A `.safetensors` file holds tensors only; any other is read with `weights_only=True`, which
    refuses code. Wrappers of common training scripts are taken off the names.

    Raises:
        WeightsError: no such file, or it is no file of tensors.
    """
    if not path.is_file():
        raise WeightsError(f"no weights file {str(path)!r}")
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            _refuse_what_torch_never_wrote(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, SafetensorError) as error:
        raise WeightsError(f"{str(path)!r} is no file of weights: {_first_line(error)}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{str(path)!r} holds more than tensors, and loading it could run code: refused. "
            "Save the state_dict alone, best as .safetensors"
        ) from error
    tensors = _tensors(state)
    if not tensors:
        raise WeightsError(f"{str(path)!r} holds no tensors by name")
    return tensors


def _refuse_what_torch_never_wrote(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(8)
    if not start.startswith(_STARTS):
        raise ValueError(f"it starts with {start!r}, as nothing does that torch has saved")


def load_backbone(
    network: Network, state: Mapping[str, Tensor], source: str, stem: Stem | None = None
) -> list[str]:
    """Copy into the backbone of `network` what fits by name and shape; return what did not.

    Args:
        network: changed in place.
        state: tensors by timm's names.
        source: where they come from, for messages.
        stem: bands of the pictures and how the first convolution is made for them; unset, the
            weights are of the same bands.

    Returns:
        One line for each tensor of the backbone that keeps its random values. Tensors of the file
        that the backbone has no place for (an old classifier) are not worth a line.

    Raises:
        WeightsError: under half of the backbone's tensors fit, which is another network; or the
            first convolution is of another number of bands.
        RecipeError: its filters cannot be made for these bands in the way of `stem`.
    """
    own = network.backbone.state_dict()
    if stem is not None:
        state = adapt_stem(network.backbone, state, stem, source)
    fitting = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    # Files of old versions lack the counters of batch norm, which nothing here reads.
    unmatched = [k for k in own if k not in fitting and not k.endswith("num_batches_tracked")]
    if 2 * len(unmatched) > len(own):
        raise WeightsError(
            f"{source}: {len(fitting)} of {len(own)} tensors fit the backbone by name and shape, "
            f"first that does not: {_describe(unmatched[0], state, own)}; "
            "are they weights of another network?"
        )
    for name in first_weights(network.backbone):
        if name in state and state[name].shape[1] != own[name].shape[1]:
            raise WeightsError(
                f"{source}: {_describe(name, state, own)}: the weights are of other bands than the "
                "pictures; name the bands (--set bands=...), or take --set stem=mean"
            )
    network.backbone.load_state_dict(fitting, strict=False)
    return [_describe(name, state, own) for name in unmatched]


def _tensors(state: Any) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping):
        return {}
    return {
        _bare(str(name)): value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if isinstance(value, Tensor)
    }


def _bare(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _describe(name: str, state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    if name not in state:
        return f"{name}: not in the file"
    return f"{name}: {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} needed"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
