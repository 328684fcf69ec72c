"""A tiny network, and pictures whose class is the colour that they are tinted with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from transfer.finetuning.devices import Compute
from transfer.images.pictures import Pixels
from transfer.network.backbone import Network, build_network
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.samples.manifest import Row

SIZE, CLASSES = 32, 3

Build = Callable[..., Network]


@pytest.fixture
def compute() -> Compute:
    """The plainest arithmetic there is."""
    return Compute(torch.device("cpu"), "fp32", 1, "a test")


@pytest.fixture
def build() -> Build:
    """Build the network of a seed; it has seen other pictures than a task's."""

    def build(seed: int = 0) -> Network:
        torch.manual_seed(seed)
        network = build_network("test_resnet", CLASSES)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)  # timm starts some at 0
                torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
        return network

    return build


@pytest.fixture
def targets() -> np.ndarray:
    return np.arange(48) % CLASSES


@pytest.fixture
def batches(targets: np.ndarray) -> Batches:
    """Eight rows a step; a training view is the plain one."""

    def tinted(row: Row) -> Pixels:
        number = int(row.path.stem)
        pixels = np.random.default_rng(number).integers(0, 150, (SIZE, SIZE, 3), dtype=np.uint8)
        pixels[:, :, targets[number]] += 60
        return pixels

    rows = [Row(Path(f"{number}.png")) for number in range(len(targets))]
    pictures = Pictures(rows, tinted, size=SIZE, framing="crop", memory_bytes=10**6)
    return Batches(pictures, targets, batch_size=8, seed=0)
