"""The backbones of a ladder: which there are, where their weights are, and what made those."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import timm

from transfer.errors import RecipeError
from transfer.network.backbone import check_name, check_size
from transfer.network.pretrained import cached_file, starter_backbone, tagged

LADDER = (
    *("resnet10t", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    *("wide_resnet50_2", "wide_resnet101_2"),
    *("densenet121", "densenet169", "densenet201", "densenet161"),
)
"""What is compared where nobody names anything: ResNets by depth, wide ones, DenseNets."""

_STARTER = "starter"


@dataclass(frozen=True)
class Rung:
    """One backbone, on its way from its weights or from nothing.

    Attributes:
        name: for people, and in the names of runs.
        backbone: timm's name, with the tag of its weights.
        weights: hub, starter, or none: it is trained from nothing.
        pretraining: names the recipe that made its weights; "" of none.
        missing: why it cannot be tried here; "" where it can.
    """

    name: str
    backbone: str
    weights: str
    pretraining: str = ""
    missing: str = ""

    @property
    def is_from_scratch(self) -> bool:
        """Say whether it starts from nothing, so that there is nothing to probe."""
        return self.weights == "none"


def find_rungs(
    names: Sequence[str], from_scratch: Sequence[str], tag: str, *, download: bool
) -> list[Rung]:
    """Return a rung for each name, in the order given, those from scratch last.

    A name without a tag gets `tag`, so that depth is compared and not recipes; one that has no such
    weights gets what timm would give it, and says so in its `pretraining`.

    Args:
        names: of backbones that come with weights.
        from_scratch: of those that start from nothing.
        tag: of the weights.
        download: weights that are not here are fetched when they are needed.

    Raises:
        RecipeError: timm has no such model or tag, or a name stands twice.
    """
    for name in (*names, *from_scratch):
        check_name(name)
    rungs = [_with_weights(name, tag, download=download) for name in names]
    rungs += [Rung(f"{name} from scratch", name, "none") for name in from_scratch]
    known = [rung.name for rung in rungs]
    if twice := sorted({name for name in known if known.count(name) > 1}):
        raise RecipeError(f"a ladder has each backbone once, and {', '.join(twice)} stands twice")
    return rungs


def fitting(rungs: Sequence[Rung], size: int) -> list[Rung]:
    """Return the rungs, each that takes no picture of `size` px with the reason why."""
    return [rung if rung.missing else replace(rung, missing=_unfit(rung, size)) for rung in rungs]


def other_recipes(rungs: Sequence[Rung]) -> str:
    """Return in words which rungs were not pretrained as most of them, or ""."""
    made = [rung for rung in rungs if rung.pretraining and not rung.missing]
    kinds = [rung.pretraining for rung in made]
    if len(set(kinds)) < 2:  # noqa: PLR2004  # nothing to tell apart
        return ""
    usual = max(dict.fromkeys(kinds), key=kinds.count)
    others = [f"{r.name} ({r.pretraining})" for r in made if r.pretraining != usual]
    return (
        f"not pretrained as the others ({usual}): {', '.join(others)}; what they differ by from "
        "those is recipe as well as depth"
    )


def _with_weights(name: str, tag: str, *, download: bool) -> Rung:
    backbone = name
    if "." not in name:
        wished = f"{name}.{tag}"
        backbone = wished if wished in timm.list_pretrained(f"{name}.*") else tagged(name)
    stated = timm.get_pretrained_cfg(backbone)
    exist = stated is not None and stated.has_weights
    pretraining = str(stated.tag) if stated is not None and stated.tag else "timm's own"
    if exist and (download or cached_file(backbone) is not None):
        return Rung(name, backbone, "hub", pretraining)
    if name == starter_backbone():
        return Rung(name, name, _STARTER, _STARTER)
    if not exist:
        return Rung(name, backbone, "hub", missing="timm has no weights of it; --scratch trains it")
    return Rung(name, backbone, "hub", pretraining, missing=f"no weights of {backbone} here")


def _unfit(rung: Rung, size: int) -> str:
    try:
        check_size(rung.backbone, size)
    except RecipeError as error:
        return str(error)
    return ""
