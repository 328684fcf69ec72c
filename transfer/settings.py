"""The groups of settings that a recipe is made of: bounds, meaning and default of each."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# Optimizers of timm whose weight decay is decoupled, besides those whose names end in w.
_DECOUPLED = ("adabelief", "adafactor", "adan", "lamb", "muon")


class Settings(BaseModel):
    """Settings that never change once made; an unknown key is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


class TaskSettings(Settings):
    """What a task lets its users set; a task with settings derives its own model from this."""


class ObjectSettings(TaskSettings):
    """What is taken from frames whose objects have boxes; of no effect on other data."""

    margin: float = Field(default=0.1, ge=0, le=2)
    """Share of a box's width and height that is shown around it on each side: what an object stands
    before helps to name it, and boxes are drawn tight."""
    min_size: float = Field(default=8, ge=0)
    """Objects whose box has a shorter side than this, px, are left out: hardly anyone could name
    them."""
    crowds: bool = False
    """Take boxes around whole groups as well (COCO's iscrowd)."""


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
    ignore_given: bool = False
    """Draw new splits where the data come with their own."""
    ignore_groups: bool = False
    """Deal row by row, as if pictures of one patient or scene had nothing in common: scores look
    better than they are. It shows what a leak is worth."""
    allow_leaks: bool = False
    """Keep given splits that divide groups or equal pictures; the run says so beside its scores."""
    groups_file: str | None = None
    """A table that `transfer audit --groups-out` wrote: what is near-duplicate in it is kept
    together, as one group."""

    @model_validator(mode="after")
    def _leave_something_to_learn_from(self) -> Self:
        held = self.val + self.test + self.calibration
        if held >= 1:
            raise ValueError(f"val + test + calibration = {held:g} leaves no row to train on")
        return self

    @model_validator(mode="after")
    def _refuse_groups_that_are_ignored(self) -> Self:
        if self.ignore_groups and self.groups_file is not None:
            raise ValueError("ignore_groups would ignore those of groups_file; leave one of them")
        return self


class ProbeSettings(Settings):
    """The linear head on frozen features (multinomial logistic regression, L-BFGS)."""

    l2: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        default=(1e-4, 1e-3, 1e-2, 1e-1, 1.0), min_length=1
    )
    """Strengths of the L2 penalty that are tried; val picks one. Features have unit variance."""
    iterations: int = Field(default=200, ge=1)
    """Most L-BFGS steps for each strength."""
    start_l2: float = Field(default=1.0, ge=0)
    """Penalty of the head that training goes on from, where it does. The head that is best on
    frozen features is too sure of itself to start from: its large weights turn every step of the
    backbone into a jump of the logits, and rows that it has right have nothing left to teach."""
    views: int = Field(default=0, ge=0)
    """Passes of training views that the head is fitted on beside the plain rows. None by default:
    each costs as much as all the features so far, and pays where classes have few pictures."""


class HeadSettings(Settings):
    """What turns pooled features into answers."""

    kind: Literal["auto", "linear", "residual-mlp", "cosine"] = "auto"
    """auto: cosine for identities, else linear, which a probe can fit best. residual-mlp: a hidden
    layer beside it that starts as nothing. cosine: class centres on a sphere."""
    stages: int | None = Field(default=None, ge=1)
    """Of how many of the last stages the head sees the pooled features. Unset takes 4 for a probe:
    what the last stage no longer tells apart, an earlier one may; and 1 where stages learn, or for
    the cosine head, which compares directions."""
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
    schedule: Literal["cosine", "one-cycle", "plateau"] = "cosine"
    """Of the learning rate, behind the warm-up: cosine falls to zero over the run and needs nothing
    else set; one-cycle starts at 1/25 and ends at 1/10000 of the peak (warmup = 0.3 is usual);
    plateau keeps the peak and cuts it by ten when val no longer gains."""
    plateau_patience: int = Field(default=2, ge=0)
    """Epochs without a better headline that plateau puts up with; the next one cuts the rate. Two,
    since the headline of a few hundred rows wobbles."""
    head_lr: float = Field(default=1.0, gt=0)
    """Learning rate of the head as a multiple of `lr`; a probed head needs no more."""
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    """Each stage nearer to the input learns this much slower; its features are more general."""
    weight_decay: float | None = Field(default=None, ge=0)
    """Never on norms and biases; unset takes the optimizer's own: 0.05 where it is decoupled from
    the gradient as in adamw, 0.5 for lion, 1e-4 where the gradient carries it as in sgd."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises, so that Adam's averages can settle."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients make one step: a large step where memory holds small batches. One, as
    more steps learn faster from the same rows."""
    mixup: float = Field(default=0.0, ge=0)
    """Alpha of mixup, which blends pairs of pictures, of one process where there are several; 0 is
    off, as a short run would underfit; 0.2 is usual for long runs and from scratch."""
    cutmix: float = Field(default=0.0, ge=0)
    """Alpha of cutmix, which pastes a box of one picture into another; 0 is off, as it may hide
    what the label speaks of; 1 is usual. With mixup on as well a coin picks one for each batch."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay of a moving average of the weights, which val then judges and the run keeps; 0 is off,
    as the cosine's last small steps average already; 0.999 is usual for thousands of steps."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of each label that is spread over all classes; keeps probabilities honest."""
    balance: Literal["auto", "none", "weights", "logit-adjustment", "focal", "sampler"] = "auto"
    """Against rare classes being ignored. auto: logit-adjustment of single labels, else none. none
    keeps the classes' frequencies. weights: the loss by inverse frequency. logit-adjustment: log
    priors in training only. focal: what is known already counts less. sampler: every class is
    drawn equally often."""
    balance_strength: float = Field(default=0.5, gt=0, le=1)
    """How far weights and logit-adjustment go, the power that frequencies are raised to: 1 makes
    all classes count alike, 0.5 helps rare ones and leaves accuracy where it was."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the head's inputs that a step leaves out; 0, as pooled features are few already."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Share of the deepest residual branches that a step leaves out (stochastic depth); 0, as it
    pays only on long training."""
    clip_norm: float = Field(default=1.0, ge=0)
    """Longest gradient of a step; 0 does not clip."""
    patience: int = Field(default=0, ge=0)
    """Epochs without a better headline on val before stopping early; 0 runs them all."""
    frozen_to: str | None = None
    """Last stage that partial leaves as it is, as in layer2; unset takes the lower half of them."""
    batch_statistics: Literal["auto", "frozen", "updated"] = "auto"
    """Batch norm's running statistics; auto freezes them where a batch has under 16 rows, too few
    for a mean, but not from scratch, where there are none to keep. Of several processes on CPUs
    each takes the mean over its own part of a batch; on cards it is over all of it."""

    @property
    def decay(self) -> float:
        """The weight decay in force: as set, else the optimizer's own."""
        return habits(self.optimizer)[1] if self.weight_decay is None else self.weight_decay


class MachineSettings(Settings):
    """What may differ between machines without changing what is learned."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs; auto takes a CUDA card where there is one."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """Of training; auto takes bf16 where the processor has it built in. Scores are fp32."""
    workers: int | None = Field(default=None, ge=0)
    """Processes that read pictures; unset lets the machine decide. No effect on results."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of a step; unset takes every core, its part of them where processes share them."""
    deterministic: bool = False
    """Take only algorithms that give the same bits again, slower on a card; a CPU always does."""
    checkpoint_minutes: float = Field(default=10, ge=0)
    """Most minutes of training that a crash can cost; 0 keeps only the end of each epoch."""
    pixels_gb: float = Field(default=20, ge=0)
    """Most disk for working-size pixels in the user's cache folder, GB; 0 keeps none. The least
    recently used go first; twenty hold 130,000 pictures of 224 px, a million and a half of 64 px.
    Pictures that do not fit together are decoded anew in every epoch, but for what memory holds."""
    cache_gb: float | None = Field(default=None, ge=0)
    """Most memory for decoded pixels that are not on disk, GB; unset takes a quarter of what is
    free."""
    features_gb: float = Field(default=10, ge=0)
    """Most disk for features of frozen backbones in the user's cache folder, GB; 0 keeps none. The
    least recently used go first; ten hold a million rows that a resnet50's head is fitted on."""


def habits(optimizer: str) -> tuple[float, float]:
    """Return learning rate as a multiple of adamw's, and weight decay, that suit an optimizer.

    Plain gradients need larger steps than normalized ones, signs smaller ones with more decay
    (Chen et al. 2023, Symbolic Discovery of Optimization Algorithms). Decay within the gradient
    is a penalty on the loss: what adamw takes would drown the loss.
    """
    if "sgd" in optimizer or optimizer.startswith(("momentum", "nesterov")):
        return 10.0, 1e-4
    if "lion" in optimizer:
        return 0.1, 0.5
    decoupled = optimizer.endswith("w") or any(name in optimizer for name in _DECOUPLED)
    return 1.0, 0.05 if decoupled else 1e-4
