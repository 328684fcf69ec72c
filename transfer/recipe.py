"""Every setting of a run, its bounds and its meaning: the only place for defaults."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from transfer.errors import RecipeError
from transfer.settings import (
    HeadSettings,
    MachineSettings,
    ProbeSettings,
    Settings,
    SplitSettings,
    TaskSettings,
    TrainingSettings,
    habits,
)

_FEWEST_PICTURES, _FEWEST_EPOCHS, _MOST_EPOCHS = 10_000, 8, 20
_RATE, _RATE_FROM_SCRATCH, _RATE_FROM_STARTER = 1e-3, 2e-3, 3e-3


class Strategy(StrEnum):
    """The ways of transferring."""

    PROBE = "probe"
    FINETUNE = "finetune"
    LP_FT = "lp-ft"
    GRADUAL = "gradual"
    PARTIAL = "partial"
    SCRATCH = "scratch"


def _rate_or_auto(value: Any, check: ValidatorFunctionWrapHandler) -> float | Literal["auto"]:
    try:
        rate: float | Literal["auto"] = check(value)
    except ValidationError as error:  # one sentence for both members of the union
        raise ValueError("a learning rate is a number above 0, or auto") from error
    return rate


Rate = Annotated[Annotated[float, Field(gt=0)] | Literal["auto"], WrapValidator(_rate_or_auto)]


class Recipe(Settings):
    """How to fine-tune; a task gives its own, a file, --set and the everyday options overlay it."""

    backbone: str = "resnet18"
    """Any timm model name, with or without a tag."""
    weights: str = "auto"
    """Where the backbone's come from: auto, starter, none, hub, a .safetensors file, a run."""
    bands: tuple[str, ...] = ()
    """Names of a picture's bands, in order, such as nir,red,green; none are red, green, blue."""
    no_data: float | None = None
    """Value, as stored, of pixels that hold nothing in any band; left out of the bands' mean and
    deviation."""
    stem: Literal["copy-rgb+zero", "mean", "tile", "random"] = "copy-rgb+zero"
    """How filters for red, green and blue become filters for other bands. copy-rgb+zero starts as
    the network that came with the weights; mean and tile treat all bands alike."""
    strategy: Strategy = Strategy.LP_FT
    """lp-ft: batch statistics of the new pictures, a head by probe, then all weights from there;
    val may keep the probe, so it is right from two pictures a class on. probe: only a head, on
    frozen features; seconds. partial: probe, then the stages above `training.frozen_to`. gradual:
    as lp-ft, but stage by stage from the head. finetune: all weights at once, from a blank head.
    scratch: all weights from nothing."""
    epochs: int | None = Field(default=None, ge=1)
    """Passes over the training rows; a probe needs none. Unset takes 8, and where that is under
    10,000 pictures more, up to 20: a few pictures make few steps."""
    size: int = Field(default=224, ge=8)
    """Side of the picture the network sees, px."""
    framing: Literal["crop", "pad", "squash"] = "crop"
    """How a picture becomes square: its centre, with a border, or out of shape."""
    batch_size: int = Field(default=32, ge=1)
    """Rows of a batch, those of all processes together: however many share a batch, the learning
    rate suits it and the result is the same."""
    test_views: int = Field(default=0, ge=0)
    """Training views of each picture whose probabilities are averaged with those of the plain one,
    on val, calibration, test and in predict; 0 is the plain picture alone: each view costs as much
    as the plain picture again, for as long as the network is asked. What selects sees none."""
    lr: Rate | None = None
    """Peak learning rate; unset takes 1e-3, from scratch 2e-3, from the starter weights, which have
    less to lose, 3e-3; ten times that for sgd, a tenth for lion. auto finds it by a short trial on
    a copy."""
    seed: int = Field(default=0, ge=0)
    """Moves the first weights of a head, the order and the views; never the split."""
    split: SplitSettings = SplitSettings()
    """Who learns, who selects, who judges."""
    head: HeadSettings = HeadSettings()
    """What turns pooled features into answers."""
    probe: ProbeSettings = ProbeSettings()
    """The head on frozen features."""
    training: TrainingSettings = TrainingSettings()
    """How gradient descent moves the weights."""
    machine: MachineSettings = MachineSettings()
    """What may differ between machines without changing what is learned."""
    task: SerializeAsAny[TaskSettings] = TaskSettings()
    """The task's own settings."""

    @field_validator("bands", mode="before")
    @classmethod
    def _separate(cls, bands: Any) -> Any:
        return tuple(map(str.strip, bands.split(","))) if isinstance(bands, str) else bands

    @field_validator("bands")
    @classmethod
    def _refuse_equal_names(cls, bands: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(bands)) < len(bands) or "" in bands:
            raise ValueError("every band needs a name of its own")
        return bands

    def passes(self, rows: int) -> int:
        """Return the epochs in force for so many training rows: as set, else as many as suit."""
        if self.epochs is not None:
            return self.epochs
        enough = -(-_FEWEST_PICTURES // max(1, rows))
        return min(max(_FEWEST_EPOCHS, enough), _MOST_EPOCHS)

    @property
    def peak_lr(self) -> float:
        """The peak learning rate in force: as set, else that of strategy, weights and optimizer.

        Raises:
            RecipeError: it is still to be found.
        """
        if self.lr == "auto":
            raise RecipeError("lr = 'auto' is not known before it was found; give a number")
        if self.lr is not None:
            return self.lr
        own = _RATE_FROM_STARTER if self.weights == "starter" else _RATE
        own = _RATE_FROM_SCRATCH if self.strategy is Strategy.SCRATCH else own
        return own * habits(self.training.optimizer)[0]

    def with_task(self, settings: TaskSettings) -> Self:
        """Return a copy that carries the settings of a task."""
        return self.model_copy(update={"task": settings})

    def dotted(self) -> dict[str, Any]:
        """Return every setting by its dotted name, as `--set` takes it."""
        return dotted(self.model_dump(mode="json"))

    def meanings(self) -> dict[str, str]:
        """Return one line for every setting, by dotted name."""
        return _meanings(self)


def as_text(value: object) -> str:
    """Return a setting as `--set` takes it, and as a run keeps it."""
    return value if isinstance(value, str) else json.dumps(value)


def dotted(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested table as a flat one, `{"training": {"ema": 0}}` as `{"training.ema": 0}`."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= dotted(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _meanings(settings: Settings, prefix: str = "") -> dict[str, str]:
    lines: dict[str, str] = {}
    for key, about in type(settings).model_fields.items():
        value = getattr(settings, key)
        if isinstance(value, Settings):
            lines |= _meanings(value, f"{prefix}{key}.")
        else:
            lines[prefix + key] = " ".join((about.description or "").split())
    return lines
