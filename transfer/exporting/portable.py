"""A run's network as other runtimes take it: pixels in, what it says of them out."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from transfer.network.backbone import Network
from transfer.network.objective import OBJECTIVES
from transfer.scoring.metrics import SCORECARDS
from transfer.shipping.predictor import Predictor

Said = tuple[NDArray[np.float32], ...]
"""What is said of B pictures: probabilities (B, K), and of an identity embeddings (B, D)."""

Says = Callable[[NDArray[np.float32]], Said]
"""Pixels (B, C, S, S) float32 in [0, 1] -> what is said of them."""

PIXELS = "pixels"
_TRACED = 2  # pictures; of one alone a tracer would take the number of pictures for a constant


class Answering(nn.Module):
    """A network with its normalization before it and its probabilities behind it.

    Shape:
        pixels: (B, C, S, S) float32 in [0, 1].
        returns: probabilities (B, K) float32; of an identity, embeddings (B, D) as well.
    """

    def __init__(
        self, network: Network, probabilities: Callable[[Tensor], Tensor], *, embeds: bool
    ) -> None:
        super().__init__()
        self.network, self._probabilities, self._embeds = network, probabilities, embeds

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Return what is said of `pixels`."""
        pooled = self.network.embed(pixels)
        said = self._probabilities(self.network.head(pooled).float())
        return (said, pooled) if self._embeds else (said,)


class Portable:
    """The network of a run, and what every format is made from.

    Attributes:
        predictor: of the run, on the CPU.
        size: side S of a picture, px.
        bands: how many a picture has, C.
        outputs: names of what is said, in order.
        module: the network, in eval mode.
    """

    def __init__(self, predictor: Predictor) -> None:
        """Make the network of `predictor` ready to leave."""
        self.predictor, self.size = predictor, predictor.recipe.size
        self.bands = len(predictor.network.normalization.mean)
        embeds = SCORECARDS[predictor.target].by_embeddings
        self.outputs = ("probabilities", "embeddings") if embeds else ("probabilities",)
        probabilities = OBJECTIVES[predictor.target].probabilities
        self.module = Answering(predictor.network, probabilities, embeds=embeds).eval()

    def says(self, pixels: NDArray[np.float32]) -> Said:
        """Return what the run itself says of plain pictures."""
        return torch_says(self.module)(pixels)

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The network as torch.export traces it, for any number of pictures."""
        pixels = torch.zeros(_TRACED, self.bands, self.size, self.size)
        any_number = torch.export.Dim("batch", min=1)
        program = torch.export.export(
            self.module, (pixels,), dynamic_shapes={PIXELS: {0: any_number}}
        )
        # torch would keep the pictures it traced with as a pickle.
        program.example_inputs = None
        return program

    @cached_property
    def onnx(self) -> bytes:
        """The network as the bytes of one ONNX file."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            torch.onnx.export(
                self.program,
                (),
                path,
                dynamo=True,
                input_names=[PIXELS],
                output_names=list(self.outputs),
                external_data=False,  # one file, up to the 2 GB of its format
                verbose=False,
            )
            return path.read_bytes()


def torch_says(module: Callable[[Tensor], tuple[Tensor, ...]]) -> Says:
    """Return what asks a torch module."""

    @torch.inference_mode()
    def says(pixels: NDArray[np.float32]) -> Said:
        return tuple(each.numpy() for each in module(torch.from_numpy(pixels)))

    return says
