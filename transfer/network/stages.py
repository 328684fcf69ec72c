"""The stages of a backbone, from stem to last: what freezing and layer-wise rates both count."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from timm.models import group_parameters
from torch import nn


class Stage(NamedTuple):
    """Layers of a backbone that learn and rest together.

    Attributes:
        name: "stem" for the first; else where its layers stand, such as "layer3".
        parameters: names of its weights in the backbone.
    """

    name: str
    parameters: tuple[str, ...]


def stages(backbone: nn.Module) -> tuple[Stage, ...]:
    """Return the stages of a timm model without classifier; each weight is in exactly one.

    They are timm's own coarse groups, save that a group of norms alone belongs to the stage before
    it, whose output it scales, and that layers which timm lists one by one (VGG) are one stage as
    long as the resolution stays.
    """
    groups = _joined(backbone, _groups(backbone))
    all_names = [name for name, _ in backbone.named_parameters()]
    names = ["stem", *(_name(group, all_names) for group in groups[1:])]
    return tuple(Stage(name, tuple(group)) for name, group in zip(names, groups, strict=True))


def _groups(backbone: nn.Module) -> list[list[str]]:
    matcher = getattr(backbone, "group_matcher", None)
    if matcher is None:
        return [[name for name, _ in backbone.named_parameters()]]
    return list(group_parameters(backbone, matcher(coarse=True)).values())


def _joined(backbone: nn.Module, groups: list[list[str]]) -> list[list[str]]:
    weights = dict(backbone.named_parameters())
    resolution = _resolutions(backbone)
    joined, before = [groups[0]], groups[0]
    for group in groups[1:]:
        norms_alone = all(weights[name].ndim <= 1 for name in group)
        both = {_layer(name) for name in (*before, *group)}
        one_by_one = len({_layer(n) for n in before}) == len({_layer(n) for n in group}) == 1
        if norms_alone or (one_by_one and len({resolution[layer] for layer in both}) == 1):
            joined[-1] = joined[-1] + group
        else:
            joined.append(group)
        before = group
    return joined


def _resolutions(backbone: nn.Module) -> dict[str, int]:
    """Return for each module how many of the stages that timm takes features from end before it."""
    listed = cast("Sequence[dict[str, str]]", getattr(backbone, "feature_info", ()))
    ends = {entry.get("module") for entry in listed}
    passed, resolution = 0, {}
    for name, _ in backbone.named_modules():
        resolution[name] = passed
        passed += name in ends
    return resolution


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0]


def _name(group: list[str], all_names: list[str]) -> str:
    """Return the shortest place that holds the first weight of `group` and none of another's."""
    others = set(all_names) - set(group)
    parts = group[0].split(".")
    for length in range(1, len(parts)):
        place = ".".join(parts[:length])
        if not any(name.startswith(f"{place}.") for name in others):
            return place
    return group[0]
