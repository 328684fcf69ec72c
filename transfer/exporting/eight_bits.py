"""The network in whole numbers of 8 bits: smaller and faster, and what that costs on val.

Post-training quantization with scales from training rows (Jacob et al. 2018, arXiv:1712.05877), by
ONNX Runtime: weights by channel, inputs of convolutions and matrix products by their range.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from transfer.errors import ExportError
from transfer.exporting.evidence import read_pixels
from transfer.exporting.formats import import_runtime
from transfer.exporting.portable import PIXELS, Portable, Says
from transfer.plan import judging_of
from transfer.plugin.task import Task
from transfer.progress import Progress
from transfer.samples.manifest import Manifest, Row
from transfer.samples.predictions import Said
from transfer.scoring.metrics import point_scores
from transfer.shipping.evaluation import beside_truth
from transfer.shipping.predictor import Predictor

_CALIBRATED_ON = 128  # training rows: ranges of activations move little after that
_OPERATORS = ("Conv", "Gemm", "MatMul")  # where the time goes; the rest stays float32


class Pictures:
    """Training rows, one batch at a time, as ONNX Runtime asks for them."""

    def __init__(self, batches: Iterator[NDArray[np.float32]]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch by the name of the input, or None when all were given."""
        pixels = next(self._batches, None)
        return None if pixels is None else {PIXELS: pixels}


@dataclass(frozen=True)
class Exam:
    """The val rows of a run, and the score that picked its epoch.

    Attributes:
        predictor: of the run.
        task: whose rows they are.
        val: the rows.
        headline: name of the score, higher is better.
        progress: told how far it is.
    """

    predictor: Predictor
    task: Task
    val: Manifest
    headline: str
    progress: Progress

    def score(self, says: Says, what: str) -> float:
        """Return the headline of what is said of the val rows."""
        rows, recipe, parts = self.val.all_rows(), self.predictor.recipe, []
        with self.progress.step(f"scoring {what}", len(rows), "images") as step:
            for pixels in read_pixels(self.task, recipe, rows):
                parts.append(says(pixels))
                step.advance(len(pixels))
        said = Said(*(np.concatenate(each) for each in zip(*parts, strict=True)))
        judging = judging_of(self.task, recipe, self.predictor.target)
        return point_scores(beside_truth(self.predictor, self.val, said), judging.scorer)[
            self.headline
        ]


def write_eight_bits(portable: Portable, task: Task, rows: Sequence[Row], path: Path) -> None:
    """Write the network as ONNX of 8 bits, its ranges from the pictures of training `rows`."""
    quantization = import_runtime("onnxruntime.quantization")
    spread = np.linspace(0, len(rows) - 1, min(_CALIBRATED_ON, len(rows))).round().astype(int)
    chosen = [rows[number] for number in spread.tolist()]
    with TemporaryDirectory() as folder:
        plain, folded = Path(folder, "plain.onnx"), Path(folder, "folded.onnx")
        plain.write_bytes(portable.onnx)
        # Batch norms go into convolutions first: their ranges would be wrong otherwise.
        quantization.quant_pre_process(plain, folded, skip_symbolic_shape=True)
        quantization.quantize_static(
            folded,
            path,
            Pictures(read_pixels(task, portable.predictor.recipe, chosen)),
            op_types_to_quantize=list(_OPERATORS),
            per_channel=True,
            # Without it sums of products overflow 16 bits on processors that lack VNNI.
            reduce_range=True,
        )


def rows_for_eight_bits(manifest: Manifest | None) -> tuple[Sequence[Row], Manifest]:
    """Return the training rows that ranges are taken from, and the val rows that judge.

    Raises:
        ExportError: they are gone.
    """
    if manifest is None or not all(len(manifest.numbers(split)) for split in ("train", "val")):
        raise ExportError(
            "--int8 needs the training and val rows of the run, which are no longer where it read "
            "them; say where they are with --data"
        )
    train, val = (manifest.keep(manifest.rows["split"].eq(s).to_numpy()) for s in ("train", "val"))
    return train.all_rows(), val
