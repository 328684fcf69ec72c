"""A model on disk: its weights as safetensors, everything else as JSON; no pickle."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from transfer.errors import OutputError, StoreError
from transfer.network.backbone import Network
from transfer.samples.predictions import Decisions, Thresholds
from transfer.samples.target import TargetKind
from transfer.settings import HeadSettings

FORMAT = 2
_FIRST_FORMAT = 1  # its heads were all linear, and said nothing of it
_ABOUT, _WEIGHTS = "model.json", "network.safetensors"


@dataclass(frozen=True)
class ModelCard:
    """What a network needs around it to predict.

    Attributes:
        task: name of the task.
        target: kind of target.
        classes: K class names, in the order of the outputs.
        backbone: timm name.
        mean, std: normalization of pixels in [0, 1], one number a band.
        head: kind and size of the head, as the recipe's `head`, and the stages it sees.
        own_reader: the task reads pictures in its own way, so that its package is needed.
        recipe: every setting of the run.
        thresholds: of a multi label target, and on which rows they were fitted.
        decisions: of the task, likewise.
        side_px: shorter side of the pictures of the run before framing, the median: what a window
            of a larger picture has to have. None where nobody noted it.
    """

    task: str
    target: str
    classes: tuple[str, ...]
    backbone: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    head: dict[str, Any]
    own_reader: bool
    recipe: dict[str, Any]
    thresholds: Thresholds | None = None
    decisions: Decisions | None = None
    side_px: int | None = None


def write_model(folder: Path, network: Network, card: ModelCard) -> None:
    """Write `network` and its card into `folder`, which is made.

    Raises:
        OutputError: the folder cannot be written to.
    """
    state = {name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}
    about = {"format": FORMAT, **asdict(card)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(state, folder / _WEIGHTS)
        (folder / _ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"the model cannot be written to {str(folder)!r}: {error}; free some space there"
        ) from error


def read_card(folder: Path) -> ModelCard:
    """Return the card of the model in `folder`.

    Raises:
        StoreError: there is none, or this version cannot read it.
    """
    try:
        return _parse(json.loads((folder / _ABOUT).read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"no model of this framework in {folder}: {error}") from error


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the tensors of the model in `folder` by name.

    Raises:
        StoreError: the file is missing or damaged.
    """
    try:
        state: dict[str, Tensor] = load_file(folder / _WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"the weights in {folder} cannot be read: {error}") from error
    return state


def _parse(about: Any) -> ModelCard:
    found = about.pop("format")
    if found not in {_FIRST_FORMAT, FORMAT}:
        raise ValueError(f"its format is {found!r}; this version reads {_FIRST_FORMAT} to {FORMAT}")
    if found == _FIRST_FORMAT:
        about["head"] = {"kind": "linear"}
    TargetKind(about["target"])
    HeadSettings(**about["head"])
    for name in ("classes", "mean", "std"):
        about[name] = tuple(about[name])
    if (thresholds := about.get("thresholds")) is not None:
        values = tuple(float(value) for value in thresholds["values"])
        about["thresholds"] = Thresholds(values, str(thresholds["fitted_on"]))
    if (decisions := about.get("decisions")) is not None:
        made = {name: float(value) for name, value in decisions["by_name"].items()}
        about["decisions"] = Decisions(made, str(decisions["fitted_on"]))
    return ModelCard(**about)
