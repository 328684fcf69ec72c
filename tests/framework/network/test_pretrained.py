import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from transfer.errors import RecipeError, RunNotFoundError, WeightsError
from transfer.network.backbone import Network, Normalization, build_network
from transfer.network.pretrained import (
    STARTER,
    cached_file,
    choose_weights,
    load_weights,
    tagged,
)
from transfer.network.state import load_backbone
from transfer.overlay import Layer, Settled, settle
from transfer.recipe import Recipe

pytestmark = pytest.mark.usefixtures("weights_cache")

RESNET18_FILE = "resnet18-f37072fd.pth"  # as torchvision publishes it


def no_run(run: str) -> Path:
    raise RunNotFoundError(f"no run {run!r}; there are 2 others")


def asked(**options: str) -> Settled:
    return settle(Recipe(), [Layer("option", options)])


def decided(**options: str) -> tuple[str, str]:
    recipe = choose_weights(asked(**options), no_run).recipe
    return recipe.backbone, recipe.weights


@pytest.fixture
def downloaded(weights_cache: Path) -> Path:
    """A file where torch.hub leaves the weights of resnet18.tv_in1k."""
    place = weights_cache / "checkpoints" / RESNET18_FILE
    place.write_bytes(b"weights")
    return place


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The model that a run of test_resnet with its own normalization left."""
    folder = tmp_path / "model"
    folder.mkdir()
    card = {"backbone": "test_resnet", "mean": [0.1, 0.2, 0.3], "std": [1.0, 2.0, 3.0]}
    (folder / "model.json").write_text(json.dumps(card))
    save_file(network(seed=5).state_dict(), folder / "network.safetensors")
    return folder


def network(seed: int) -> Network:
    torch.manual_seed(seed)
    return build_network("test_resnet", 3).to(memory_format=torch.contiguous_format)


def test_auto_without_weights_on_this_machine_falls_to_the_starter() -> None:
    settled = choose_weights(asked(), no_run)
    recipe, origins = settled.recipe, settled.origins
    assert (recipe.backbone, recipe.weights, recipe.size) == ("resnet10t", "starter", 64)
    assert {origins[name] for name in ("backbone", "weights", "size")} == {"auto"}


def test_the_starter_asked_for_comes_at_its_size_as_well() -> None:
    settled = choose_weights(asked(weights="starter"), no_run)
    assert (settled.recipe.size, settled.origins["size"]) == (64, "weights")


@pytest.mark.parametrize("weights", ["auto", "starter"])
@pytest.mark.parametrize("origin", ["option", "recipe.toml"])
def test_the_starter_s_size_gives_way_to_a_person_s(weights: str, origin: str) -> None:
    given = [Layer(origin, {"size": 96, "weights": weights})]
    settled = choose_weights(settle(Recipe(), given), no_run)
    assert (settled.recipe.backbone, settled.recipe.size) == ("resnet10t", 96)
    assert settled.origins["size"] == origin


@pytest.mark.usefixtures("downloaded")
def test_auto_takes_the_task_s_own_backbone_where_its_weights_are() -> None:
    assert decided() == ("resnet18.tv_in1k", "hub")


@pytest.mark.usefixtures("downloaded")
def test_auto_takes_a_named_backbone_where_its_weights_are() -> None:
    assert decided(backbone="resnet18") == ("resnet18.tv_in1k", "hub")
    assert decided(backbone="resnet18.tv_in1k") == ("resnet18.tv_in1k", "hub")


def test_a_named_backbone_is_never_exchanged() -> None:
    with pytest.raises(WeightsError, match="no weights of 'resnet18.tv_in1k'") as caught:
        choose_weights(asked(backbone="resnet18"), no_run)
    for offer in ("--weights hub", "--weights FILE.safetensors", "--weights none"):
        assert offer in str(caught.value)
    assert decided(backbone="resnet10t") == ("resnet10t", "starter")
    for weights in ("none", "hub"):
        assert decided(backbone="resnet50", weights=weights) == ("resnet50", weights)


@pytest.mark.parametrize("strategy", ["lp-ft", "scratch"])
def test_a_misspelt_backbone_is_refused_with_what_was_meant(strategy: str) -> None:
    with pytest.raises(RecipeError, match="did you mean resnet18"):
        choose_weights(asked(backbone="resnt18", strategy=strategy), no_run)


def test_from_scratch_takes_the_network_that_weights_would_have_come_with() -> None:
    assert choose_weights(asked(strategy="scratch"), no_run).recipe.size == 64
    assert decided(strategy="scratch") == ("resnet10t", "none")
    assert decided(strategy="scratch", weights="none") == ("resnet10t", "none")
    assert decided(strategy="scratch", backbone="resnet34") == ("resnet34", "none")


@pytest.mark.usefixtures("downloaded")
def test_from_scratch_keeps_the_task_s_backbone_where_its_weights_are() -> None:
    assert decided(strategy="scratch") == ("resnet18", "none")


@pytest.mark.parametrize("weights", ["starter", "hub", "mine.safetensors", "some-run"])
def test_from_scratch_with_weights_is_refused(weights: str) -> None:
    with pytest.raises(RecipeError, match="leave one of them out") as caught:
        choose_weights(asked(strategy="scratch", weights=weights), no_run)
    assert repr(weights) in str(caught.value)


def test_weights_bring_their_own_backbone(tmp_path: Path, run_folder: Path) -> None:
    (tmp_path / "mine.json").write_text('{"architecture": "test_resnet"}')
    own = str(tmp_path / "mine.safetensors")
    assert decided(weights="starter") == ("resnet10t", "starter")
    assert decided(weights=own) == ("test_resnet", own)
    recipe = choose_weights(asked(weights="blue-run"), lambda _: run_folder).recipe
    assert (recipe.backbone, recipe.weights) == ("test_resnet", "blue-run")


def test_a_file_without_a_card_keeps_the_backbone() -> None:
    assert decided(weights="mine.pth") == ("resnet18", "mine.pth")


def test_weights_of_another_network_are_refused(tmp_path: Path, run_folder: Path) -> None:
    (tmp_path / "mine.json").write_text('{"architecture": "resnet34"}')
    for weights in ("starter", str(tmp_path / "mine.safetensors"), "blue-run"):
        with pytest.raises(WeightsError, match=r"are of \w+, not of resnet18") as caught:
            choose_weights(asked(backbone="resnet18", weights=weights), lambda _: run_folder)
        assert repr(weights) in str(caught.value)


def test_weights_that_are_nothing_known_are_refused_with_all_ways() -> None:
    for look in (
        lambda: choose_weights(asked(weights="blue-run"), no_run),
        lambda: load_weights("resnet18", "blue-run", no_run),
    ):
        with pytest.raises(WeightsError, match="auto, starter, none, hub") as caught:
            look()
        assert ".safetensors" in str(caught.value)
        assert "no run 'blue-run'; there are 2 others" in str(caught.value)


def test_no_weights_are_no_tensors() -> None:
    weights = load_weights("resnet18", "none", no_run)
    assert (weights.source, weights.state, weights.normalization) == ("none", None, None)


def test_the_starter_s_card_is_complete_and_its_file_small() -> None:
    card = json.loads(STARTER.with_suffix(".json").read_text())
    wanted = {"architecture", "input_size_px", "bands", "mean", "std", "licence", "score"}
    assert wanted <= {name for name, value in card.items() if value}
    assert {"name", "value"} <= set(card["score"])
    assert len(card["mean"]) == len(card["std"]) == len(card["bands"]) == 3
    assert STARTER.stat().st_size < 11_000_000


def test_the_starter_fits_its_network_to_the_last_tensor() -> None:
    weights = load_weights("resnet10t", "starter", no_run)
    built = build_network("resnet10t", 3, weights.normalization)
    assert weights.state is not None
    assert load_backbone(built, weights.state, weights.source) == []
    assert weights.normalization == Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert all(tensor.isfinite().all() for tensor in built.state_dict().values())


def test_a_run_gives_its_backbone_and_its_normalization(run_folder: Path) -> None:
    weights = load_weights("test_resnet", "blue-run", lambda _: run_folder)
    assert weights.source == "run blue-run"
    assert weights.normalization == Normalization((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
    fresh = network(seed=6)
    assert weights.state is not None
    assert load_backbone(fresh, weights.state, weights.source) == []
    kept = network(seed=5).backbone.state_dict()
    for name, tensor in fresh.backbone.state_dict().items():
        assert torch.equal(tensor, kept[name])


def test_a_file_gives_its_tensors_and_the_normalization_of_its_card(tmp_path: Path) -> None:
    path = tmp_path / "mine.pth"
    torch.save({"state_dict": {"conv1.weight": torch.ones(2)}}, path)
    assert load_weights("resnet18", str(path), no_run).normalization is None
    path.with_suffix(".json").write_text('{"mean": [0.5], "std": [0.25]}')
    weights = load_weights("resnet18", str(path), no_run)
    assert weights.source == "mine.pth"
    assert weights.normalization == Normalization((0.5,), (0.25,))
    assert list(weights.state or {}) == ["conv1.weight"]


def test_a_missing_file_is_refused_by_name() -> None:
    with pytest.raises(WeightsError, match=r"no weights file 'gone\.safetensors'"):
        load_weights("resnet18", "gone.safetensors", no_run)


def test_resnets_are_tagged_with_one_training_recipe() -> None:
    for depth in (18, 34, 50, 101, 152):
        assert tagged(f"resnet{depth}") == f"resnet{depth}.tv_in1k"
    assert tagged("resnet50.a1_in1k") == "resnet50.a1_in1k"
    assert tagged("test_resnet") == "test_resnet"  # it has no such weights


def test_a_download_of_torch_hub_is_found(downloaded: Path) -> None:
    assert cached_file("resnet18") == downloaded
    assert cached_file("resnet18.a1_in1k") is None
    assert cached_file("resnet50") is None


def test_a_model_without_published_weights_has_none_here() -> None:
    assert cached_file("resnet10t") is None
    assert cached_file("tv_resnet34") is None  # an old name that timm keeps for others
