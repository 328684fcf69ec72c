"""Pictures of other bands than red, green and blue: what the first convolution starts from."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from transfer.errors import RecipeError
from transfer.images.colours import COLOURS, places_of
from transfer.network.backbone import Normalization

_RGB = 3


class Stem(NamedTuple):
    """The bands of a picture and how the filters of others become filters for them.

    Attributes:
        bands: names in the order of the channels; () is red, green, blue.
        policy: "copy-rgb+zero", "mean", "tile" or "random", as the recipe's `stem`.
        trained: names of the bands that the weights were trained on; () is red, green, blue, or
            nobody knows.
    """

    bands: tuple[str, ...]
    policy: str
    trained: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[int, ...] | None:
        """Where each band of the weights is among the bands; None unless each is there once."""
        wanted = [frozenset({band.lower()}) for band in self.trained] or COLOURS
        return places_of(wanted, self.bands or ("red", "green", "blue"))

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

    Bands whose filters are copied keep the numbers that these were trained with, and all others get
    what was measured on training rows.

    Args:
        own: of the bands that the weights were trained on.
        stem: bands and policy.
        measure: gives the numbers of every band, in [0, 1]; called only where they are needed.
    """
    places = stem.places
    if stem.policy != "copy-rgb+zero" or places is None:
        return measure()
    mean, std = map(list, measure() if stem.channels > len(places) else own)
    for number, place in enumerate(places):
        mean[place], std[place] = own.mean[number], own.std[number]
    return Normalization(tuple(mean), tuple(std))


def first_weights(backbone: nn.Module) -> list[str]:
    """Return the names of the weights that touch the pixels of a timm model."""
    stated = getattr(backbone, "pretrained_cfg", {}).get("first_conv") or ()
    return [f"{name}.weight" for name in ((stated,) if isinstance(stated, str) else stated)]


def _fit(filters: Tensor, stem: Stem) -> bool:
    """Say whether filters of as many bands are of the same bands, as far as anyone knows."""
    channels = filters.shape[1]
    nobody_knows = channels != _RGB and not stem.trained
    return channels == stem.channels and (nobody_knows or stem.places == tuple(range(channels)))


def _adapted(filters: Tensor, stem: Stem, what: str) -> Tensor:
    channels = filters.shape[1]
    if channels == _RGB and stem.channels == 1 and not stem.trained:
        grey: Tensor = adapt_input_conv(1, filters)  # the sum: as if grey came three times
        return grey
    if stem.policy == "mean":
        return filters.mean(dim=1, keepdim=True).repeat(1, stem.channels, 1, 1) * (
            channels / stem.channels
        )
    if stem.policy == "tile":
        tiled: Tensor = adapt_input_conv(stem.channels, filters, base_chans=channels)
        return tiled
    if (places := stem.places) is None or len(places) != channels:
        trained = ", ".join(stem.trained) or f"{channels} bands, such as red, green and blue"
        raise RecipeError(
            f"{what} has filters for {trained}, and stem = {stem.policy!r} does not find each of "
            f"them once among the bands {', '.join(map(repr, stem.bands)) or 'red, green, blue'}; "
            "name the bands (--set bands=NAME,NAME,...) or take --set stem=mean, tile or random"
        )
    copied = torch.zeros(filters.shape[0], stem.channels, *filters.shape[2:], dtype=filters.dtype)
    copied[:, list(places)] = filters
    return copied
