"""A network that was never trained, with all that a run would have written beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from transfer.network.backbone import Network, Normalization, build_network
from transfer.plugin.discovery import load_task
from transfer.shipping.model_files import ModelCard, write_model

CLASSES = ("cat", "dog", "newt")
UNEVEN = Normalization((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))


@pytest.fixture
def network() -> Network:
    """It answers differently to different pictures."""
    torch.manual_seed(0)
    network = build_network("test_resnet", len(CLASSES), UNEVEN).eval()
    torch.nn.init.normal_(network.head.weight, std=0.5)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    return network


@pytest.fixture
def make_card() -> Callable[..., ModelCard]:
    """Describe the network as a run of `labelled_images` at 32 px does, unless told otherwise."""

    def make(**changes: object) -> ModelCard:
        recipe = load_task("labelled_images").defaults()
        recipe = recipe.model_copy(update={"backbone": "test_resnet", "size": 32})
        about: Mapping[str, object] = {
            "task": "labelled_images",
            "target": "single_label",
            "classes": CLASSES,
            "backbone": "test_resnet",
            "mean": UNEVEN.mean,
            "std": UNEVEN.std,
            "head": recipe.head.model_dump(mode="json"),
            "own_reader": False,
            "recipe": recipe.model_dump(mode="json"),
        }
        return ModelCard(**{**about, **changes})

    return make


@pytest.fixture
def folder(tmp_path: Path, network: Network, make_card: Callable[..., ModelCard]) -> Path:
    """The model on disk."""
    place = tmp_path / "model"
    write_model(place, network, make_card())
    return place


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five pictures of several sizes and formats, one of 16 bits."""
    rng = np.random.default_rng(0)
    paths = []
    for number, (height, width, suffix) in enumerate(
        [(40, 50, "png"), (32, 32, "png"), (64, 33, "jpg"), (20, 20, "png")]
    ):
        path = tmp_path / f"{number} é.{suffix}"
        tint = rng.integers(0, 150, 3)
        noise = rng.integers(0, 100, (height, width, 3)) + tint
        Image.fromarray(noise.astype(np.uint8)).save(path)
        paths.append(path)
    deep = rng.integers(0, 2**16, (36, 36, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    return [*paths, tmp_path / "deep.png"]
