"""Pictures of other bands than red, green and blue: what the first convolution starts from."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from transfer.errors import RecipeError
from transfer.network.backbone import Normalization

_RGB = 3
# Sentinel-2 calls red, green and blue B4, B3 and B2.
_COLOURS = (
    frozenset({"red", "r", "b4", "b04"}),
    frozenset({"green", "g", "b3", "b03"}),
    frozenset({"blue", "b", "b2", "b02"}),
)


class Stem(NamedTuple):
    """The bands of a picture and how filters for red, green and blue become filters for them.

    Attributes:
        bands: names in the order of the channels; () is red, green, blue.
        policy: "copy-rgb+zero", "mean", "tile" or "random", as the recipe's `stem`.
    """

    bands: tuple[str, ...]
    policy: str

    @property
    def colours(self) -> tuple[int, int, int] | None:
        """Where red, green and blue are among the bands; None unless all three are."""
        if not self.bands:
            return 0, 1, 2
        lower = [band.lower() for band in self.bands]
        found = [[n for n, band in enumerate(lower) if band in names] for names in _COLOURS]
        if any(len(places) != 1 for places in found):
            return None
        (red,), (green,), (blue,) = found
        return red, green, blue

    @property
    def channels(self) -> int:
        """How many bands there are."""
        return len(self.bands) or _RGB


def adapt_stem(
    backbone: nn.Module, state: Mapping[str, Tensor], stem: Stem, source: str
) -> dict[str, Tensor]:
    """Return `state` with the first convolution made for the bands of `stem`.

    A stem that stays random is left out of the result. Weights that were trained on as many bands,
    other than red, green and blue, are taken as they are.

    Args:
        backbone: that the weights are for; timm says which convolution is its first.
        state: its tensors by timm's names.
        stem: bands and policy.
        source: where the weights come from, for the message.

    Raises:
        RecipeError: the policy cannot make these filters for those bands.
    """
    adapted = dict(state)
    for name in first_weights(backbone):
        filters = state.get(name)
        if filters is None or _fit(filters, stem):
            continue
        if stem.policy == "random":
            del adapted[name]
        else:
            adapted[name] = _adapted(filters, stem, f"{source}: {name}")
    return adapted


def stem_normalization(
    own: Normalization, stem: Stem, measure: Callable[[], Normalization]
) -> Normalization:
    """Return means and deviations for the bands of `stem`.

    Where the filters of red, green and blue are copied, these bands keep the numbers that the
    filters were trained with, and all others get what was measured on training rows.

    Args:
        own: the backbone's, of red, green and blue.
        stem: bands and policy.
        measure: gives the numbers of every band, in [0, 1]; called only where they are needed.
    """
    if stem.policy != "copy-rgb+zero" or stem.colours is None:
        return measure()
    mean, std = map(list, measure() if stem.channels > _RGB else own)
    for colour, place in enumerate(stem.colours):
        mean[place], std[place] = own.mean[colour], own.std[colour]
    return Normalization(tuple(mean), tuple(std))


def first_weights(backbone: nn.Module) -> list[str]:
    """Return the names of the weights that touch the pixels of a timm model."""
    stated = getattr(backbone, "pretrained_cfg", {}).get("first_conv") or ()
    return [f"{name}.weight" for name in ((stated,) if isinstance(stated, str) else stated)]


def _fit(filters: Tensor, stem: Stem) -> bool:
    """Say whether filters of as many bands are of the same bands, as far as anyone knows."""
    channels = filters.shape[1]
    in_order = channels != _RGB or stem.colours == (0, 1, 2)
    return channels == stem.channels and in_order


def _adapted(filters: Tensor, stem: Stem, what: str) -> Tensor:
    channels = filters.shape[1]
    if channels == _RGB and stem.channels == 1:
        grey: Tensor = adapt_input_conv(1, filters)  # the sum: as if grey came three times
        return grey
    if channels == _RGB and stem.policy == "copy-rgb+zero":
        return _copied(filters, stem, what)
    if stem.policy == "mean":
        return filters.mean(dim=1, keepdim=True).repeat(1, stem.channels, 1, 1) * (
            channels / stem.channels
        )
    if stem.policy == "tile" and channels == _RGB:
        tiled: Tensor = adapt_input_conv(stem.channels, filters)
        return tiled
    raise RecipeError(
        f"{what} has filters for {channels} bands, the pictures have {stem.channels}, and stem = "
        f"{stem.policy!r} makes none of them for the others; take --set stem=mean or random"
    )


def _copied(filters: Tensor, stem: Stem, what: str) -> Tensor:
    if stem.colours is None:
        raise RecipeError(
            f"{what} has filters for red, green and blue, and stem = 'copy-rgb+zero' does not find "
            f"each of them once among the bands {', '.join(map(repr, stem.bands))}; name the bands "
            "(--set bands=...) or take --set stem=mean, tile or random"
        )
    copied = torch.zeros(filters.shape[0], stem.channels, *filters.shape[2:], dtype=filters.dtype)
    copied[:, list(stem.colours)] = filters
    return copied
