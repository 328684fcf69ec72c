"""Where a backbone's weights come from: starter, timm's hub, a file, an earlier run, or nothing."""

import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from torch import Tensor

from transfer.errors import RecipeError, RunNotFoundError, WeightsError
from transfer.network.backbone import Normalization, check_name
from transfer.network.state import SUFFIXES, read_card, read_state
from transfer.overlay import Settled
from transfer.recipe import Strategy

STARTER = Path(__file__).parent / "weights" / "starter_resnet10t_64px.safetensors"
PREFERRED_TAG = (
    "tv_in1k"  # one training recipe for all of resnet18 to 152; timm's defaults mix several
)
FindModel = Callable[[str], Path]


@dataclass(frozen=True)
class Weights:
    """Tensors for a backbone, by timm's names, and how the pixels were normalized.

    Attributes:
        source: where they come from, for people and as a tag.
        state: name -> tensor; None for random weights.
        normalization: None where nothing but timm's own statement is known.
        bands: names of the bands they were trained on; () is red, green, blue.
    """

    source: str
    state: Mapping[str, Tensor] | None = None
    normalization: Normalization | None = None
    bands: tuple[str, ...] = ()


def choose_weights(settled: Settled, find_model: FindModel) -> Settled:
    """Return the recipe with backbone and weights decided for this machine; nothing is loaded.

    "auto" takes the task's own backbone where its weights are here, else the starter. The starter
    comes at its own size unless a person gave one. A backbone that a person named is never
    exchanged.

    Args:
        settled: the recipe as given.
        find_model: run -> folder of its model.

    Raises:
        WeightsError: the named backbone has no weights here, or the weights are another network's.
        RecipeError: timm has no such backbone, or training from scratch with given weights.
    """
    recipe = settled.recipe
    check_name(recipe.backbone)
    if recipe.strategy is Strategy.SCRATCH:
        return _from_scratch(settled)
    if recipe.weights == "auto":
        return _best_here(settled)
    owner = _owner(recipe.weights, find_model)
    if owner is None:
        return settled
    if settled.given("backbone") and _architecture(owner) != _architecture(recipe.backbone):
        raise WeightsError(
            f"weights = {recipe.weights!r} are of {owner}, not of {recipe.backbone}; "
            f"leave --backbone out or take --backbone {owner}"
        )
    chosen = settled.with_values("weights", backbone=owner)
    return _at_starter_s_size(chosen, "weights") if recipe.weights == "starter" else chosen


def load_weights(backbone: str, weights: str, find_model: FindModel) -> Weights:
    """Return the weights that a recipe asks for, "auto" decided.

    Args:
        backbone: timm name.
        weights: none, hub, starter, a file, or a run.
        find_model: run -> folder of its model.

    Raises:
        WeightsError: they cannot be had.
    """
    if weights == "none":
        return Weights("none")
    if weights == "hub":
        return _from_hub(tagged(backbone))
    if weights == "starter":
        return _from_file(STARTER, "starter")
    if Path(weights).suffix in SUFFIXES:
        return _from_file(Path(weights), Path(weights).name)
    folder = _model_of(weights, find_model)
    card = read_card(folder / "model.json")
    numbers = Normalization(tuple(card["mean"]), tuple(card["std"]))
    bands = tuple(card.get("recipe", {}).get("bands", ()))
    return Weights(f"run {weights}", read_state(folder / "network.safetensors"), numbers, bands)


def _from_scratch(settled: Settled) -> Settled:
    """Return the recipe with the network that weights would have come with: like against like."""
    recipe = settled.recipe
    if recipe.weights not in {"auto", "none"}:
        raise RecipeError(
            f"strategy = scratch starts from nothing, but weights = {recipe.weights!r}; "
            "leave one of them out"
        )
    if settled.given("backbone") or cached_file(recipe.backbone):
        return settled.with_values("scratch", weights="none")
    return _best_here(settled).with_values("scratch", weights="none")


def _best_here(settled: Settled) -> Settled:
    name, starter = settled.recipe.backbone, starter_backbone()
    if cached_file(name) is not None:
        return settled.with_values("auto", backbone=tagged(name), weights="hub")
    if settled.given("backbone") and name != starter:
        raise WeightsError(
            f"no weights of {tagged(name)!r} on this machine; choose --weights hub (timm downloads "
            "them), --weights FILE.safetensors, or --weights none (random)"
        )
    settled = settled.with_values("auto", backbone=starter, weights="starter")
    return _at_starter_s_size(settled, "auto")


def _at_starter_s_size(settled: Settled, origin: str) -> Settled:
    if settled.given("size"):
        return settled
    return settled.with_values(origin, size=_starter_card()["input_size_px"])


def _owner(weights: str, find_model: FindModel) -> str | None:
    """Return the timm name of the network that `weights` belong to, None where nothing says so."""
    if weights in {"none", "hub"}:
        return None
    if weights == "starter":
        return starter_backbone()
    if Path(weights).suffix in SUFFIXES:
        return read_card(Path(weights).with_suffix(".json")).get("architecture")
    return str(read_card(_model_of(weights, find_model) / "model.json")["backbone"])


def _model_of(weights: str, find_model: FindModel) -> Path:
    try:
        return find_model(weights)
    except RunNotFoundError as error:
        raise WeightsError(
            f"weights = {weights!r} is none of auto, starter, none, hub, no file "
            f"{' '.join(sorted(SUFFIXES))}, and {error}"
        ) from error


def starter_backbone() -> str:
    """Return the timm name of the network that the starter weights are of."""
    return str(_starter_card()["architecture"])


def _starter_card() -> dict[str, Any]:
    return read_card(STARTER.with_suffix(".json"))


def _architecture(name: str) -> str:
    return name.partition(".")[0]


def tagged(name: str) -> str:
    """Return `name` with the tag of its weights: as given, else tv_in1k, else timm's own."""
    if "." in name:
        return name
    known = timm.list_pretrained(f"{name}.*")
    preferred = f"{name}.{PREFERRED_TAG}"
    return preferred if preferred in known else name


def cached_file(name: str) -> Path | None:
    """Return the file with timm's weights of `name`, if a download left it on this machine."""
    stated = timm.get_pretrained_cfg(tagged(name))
    if stated is None:
        return None
    places = [Path(torch.hub.get_dir()) / "checkpoints" / Path(stated.url or "-").name]
    if stated.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415  # only for this look

        for file in ("model.safetensors", "pytorch_model.bin"):
            place = try_to_load_from_cache(stated.hf_hub_id, file)
            places += [Path(place)] if isinstance(place, str) else []
    return next((place for place in places if place.is_file()), None)


def _from_hub(name: str) -> Weights:
    # The error of the hub's own client, which it hands on without saying so; only for a download.
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # noqa: PLC0415

    place = cached_file(name)
    overlay = {"file": str(place)} if place else None
    try:
        if place is None:
            _reach_hub(name)
        model = timm.create_model(
            name, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except (SafetensorError, pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(
            f"the weights of {name!r} in {str(cached_file(name))!r} are damaged: {error}. "
            "Delete the file, and --weights hub downloads it again"
        ) from error
    # What a network can do wrong, and what the hub makes of it, are all among these.
    except (OSError, RuntimeError, ValueError, HTTPError) as error:
        raise WeightsError(
            f"timm cannot get its weights of {name!r}: {error}. Without a network, copy the file "
            "here and take --weights FILE.safetensors, or --weights none"
        ) from error
    stated = model.pretrained_cfg
    normalization = Normalization(tuple(stated["mean"]), tuple(stated["std"]))
    return Weights(f"hub: {name}", model.state_dict(), normalization)


def _reach_hub(name: str) -> None:
    """Ask the hub once: where it is out of reach, timm's download goes on trying for a minute."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415  # see above
    from huggingface_hub.errors import EntryNotFoundError  # noqa: PLC0415  # see above

    stated = timm.get_pretrained_cfg(name)
    if stated is not None and stated.hf_hub_id:
        with suppress(EntryNotFoundError):  # there are older files, which timm knows
            get_hf_file_metadata(hf_hub_url(stated.hf_hub_id, "model.safetensors"))


def _from_file(path: Path, source: str) -> Weights:
    card = read_card(path.with_suffix(".json"))
    numbers = Normalization(tuple(card["mean"]), tuple(card["std"])) if "mean" in card else None
    return Weights(source, read_state(path), numbers)
