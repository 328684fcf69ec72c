"""Every setting of a run, its bounds and its meaning: the only place for defaults."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator


class Settings(BaseModel):
    """Settings that never change once made; an unknown key is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class TaskSettings(Settings):
    """What a task lets its users set; a task with settings derives its own model from this."""


class Strategy(StrEnum):
    """The ways of transferring."""

    PROBE = "probe"
    FINETUNE = "finetune"
    LP_FT = "lp-ft"
    SCRATCH = "scratch"


class SplitSettings(Settings):
    """Who is learned from, who selects, and who judges."""

    val: float = Field(default=0.15, gt=0, lt=1)
    """Share of the rows that selects epochs and settings."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """Share of the rows that is scored once, at the end."""
    calibration: float = Field(default=0.0, ge=0, lt=1)
    """Share of the rows kept for thresholds and temperatures; 0 keeps none."""
    seed: int = Field(default=0, ge=0)
    """Moves rows between the splits; the run's own seed never does."""

    @model_validator(mode="after")
    def _leave_something_to_learn_from(self) -> Self:
        held = self.val + self.test + self.calibration
        if held >= 1:
            raise ValueError(f"val + test + calibration = {held:g} leaves no row to train on")
        return self


class ProbeSettings(Settings):
    """The linear head on frozen features (multinomial logistic regression, L-BFGS)."""

    l2: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2, 1e-1, 1.0), min_length=1
    )
    """Strengths of the L2 penalty that are tried; val picks one. Features have unit variance."""
    iterations: int = Field(default=200, ge=1)
    """Most L-BFGS steps for each strength."""


class HeadSettings(Settings):
    """What turns pooled features into answers."""

    kind: Literal["auto", "linear", "residual-mlp", "cosine"] = "auto"
    """auto: cosine for identities, else linear, which a probe can fit best. residual-mlp: a hidden
    layer beside it that starts as nothing. cosine: class centres on a sphere."""
    hidden: int = Field(default=512, ge=1)
    """Width of the residual MLP; as wide as the features of a small ResNet."""
    scale: float = Field(default=30.0, gt=0)
    """Of the cosine head: logits are this times a cosine. Under 20 a sure answer is out of reach,
    over 60 every answer is sure."""
    margin: float = Field(default=0.5, ge=0, lt=3)
    """Of the cosine head, radians: a row has to be that much nearer to its own class than to any
    other; 0.5 is ArcFace's own. 0 asks for none."""
    margin_warmup: float = Field(default=0.2, ge=0, le=1)
    """Share of the training in which the margin grows from 0; at once it would push about a network
    that does not know the classes yet."""


class TrainingSettings(Settings):
    """How gradient descent moves the weights."""

    optimizer: str = "adamw"
    """Any optimizer of timm; adamw forgives a learning rate that is off by three."""
    head_lr: float = Field(default=1.0, gt=0)
    """Learning rate of the head as a multiple of `lr`; a probed head needs no more."""
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    """Each stage nearer to the input learns this much slower; its features are more general."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decoupled weight decay; never on norms and biases."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises; a cosine brings it to zero after."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each label that is spread over all classes; keeps probabilities honest."""
    balance: Literal["none", "weights", "logit-adjustment", "focal", "sampler"] = "none"
    """Against rare classes being ignored. none keeps the classes' frequencies, and so honest
    probabilities. weights: the loss by inverse frequency. logit-adjustment: log priors in training
    only. focal: what is known already counts less. sampler: every class is drawn equally often."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the head's inputs that a step leaves out; 0, as pooled features are few already."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Share of the deepest residual branches that a step leaves out (stochastic depth); 0, as it
    pays only on long training."""
    clip_norm: float = Field(default=1.0, ge=0)
    """Longest gradient of a step; 0 does not clip."""
    patience: int = Field(default=0, ge=0)
    """Epochs without a better headline on val before stopping early; 0 runs them all."""
    batch_statistics: Literal["auto", "frozen", "updated"] = "auto"
    """Batch norm's running statistics; auto freezes them where a batch has under 16 rows."""


class MachineSettings(Settings):
    """What may differ between machines without changing what is learned."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs; auto takes a CUDA card where there is one."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Of training; auto takes bf16 where the processor has it built in. Scores are fp32."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that read pictures; unset lets the machine decide. No effect on results."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of a step; unset takes every core."""
    cache_gb: float | None = Field(default=None, ge=0)
    """Most memory for decoded pixels, GB; unset takes a quarter of what is free."""


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
    """probe: head on frozen features. finetune: all weights at once. lp-ft: batch statistics of the
    new pictures, probe, then all weights from there. scratch: all weights from nothing."""
    epochs: int = Field(default=10, ge=1)
    """Passes over the training rows; a probe needs none."""
    size: int = Field(default=224, ge=8)
    """Side of the picture the network sees, px."""
    framing: Literal["crop", "pad", "squash"] = "crop"
    """How a picture becomes square: its centre, with a border, or out of shape."""
    batch_size: int = Field(default=32, ge=1)
    """Rows of a step."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; unset takes the strategy's own: 1e-3, from scratch 2e-3."""
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

    @property
    def peak_lr(self) -> float:
        """The peak learning rate in force: as set, else the strategy's own."""
        if self.lr is not None:
            return self.lr
        return 2e-3 if self.strategy is Strategy.SCRATCH else 1e-3

    def with_task(self, settings: TaskSettings) -> Self:
        """Return a copy that carries the settings of a task."""
        return self.model_copy(update={"task": settings})

    def dotted(self) -> dict[str, Any]:
        """Return every setting by its dotted name, as `--set` takes it."""
        return dotted(self.model_dump(mode="json"))

    def meanings(self) -> dict[str, str]:
        """Return one line for every setting, by dotted name."""
        return _meanings(self)


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
