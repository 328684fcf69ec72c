"""How near a real epoch comes to the bare training step on this machine.

    python benchmarks/training_step.py                                  # all of it, some minutes
    python benchmarks/training_step.py --models resnet18-64 --steps 6 --repeats 1

The limit is the training step on random tensors: network, optimizer, precision and memory format
as the product chooses them here, and nothing to read. Beside it, in the same process and by turns,
because machines drift: two epochs through the product's own reader, views and loop, from pixels
that the inspection of the files has kept on disk, as a run has them; an epoch that decodes every
JPEG, with nothing kept on disk or in memory; and the step that most people start from, fp32 with
channels first. The seconds of the inspection, which decodes and keeps, stand beside them.
"""

import argparse
import itertools
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from torch import nn

from tasks.satellite_vegetation.task import TASK
from transfer.cache.block import as_names
from transfer.cli.console import Terminal
from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute, choose_compute, loader_workers
from transfer.finetuning.finetuner import Trainer
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.schedule import build_optimizer
from transfer.finetuning.stopping import Best, Validation
from transfer.finetuning.training import EpochLog, Training
from transfer.network.backbone import build_network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.network.objective import make_loss
from transfer.pixels.batches import Batch, Batches
from transfer.pixels.cache import Pictures
from transfer.pixels.pixel_store import KeptPixels, PixelStore
from transfer.pixels.views import TrainingViews
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.inspection import inspect
from transfer.samples.manifest import Manifest, Row
from transfer.samples.predictions import Said
from transfer.samples.target import TargetKind
from transfer.settings import TrainingSettings

CLASSES = 10
LOSS = make_loss(TargetKind.SINGLE_LABEL, TrainingSettings(), [1] * CLASSES)


@dataclass(frozen=True)
class Case:
    """A network at a size in px, and the files it reads: (height, width) in px."""

    backbone: str
    size: int
    batch_size: int
    picture: tuple[int, int]

    def recipe(self, epochs: int) -> Recipe:
        """Return the settings of a run of so many epochs; all else is the task's."""
        own = {"backbone": self.backbone, "size": self.size, "batch_size": self.batch_size}
        return TASK.defaults().model_copy(update={**own, "epochs": epochs})


CASES = {
    "resnet18-224": Case("resnet18", 224, 32, (375, 500)),
    "resnet50-224": Case("resnet50", 224, 32, (375, 500)),
    "resnet18-64": Case("resnet18", 64, 64, (64, 64)),
}


@dataclass(frozen=True)
class Measured:
    """Images per second of the limit, seconds of the inspection, and shares of the limit.

    One value for each repeat.
    """

    limit: list[float] = field(default_factory=list)
    inspection: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    decoding: list[float] = field(default_factory=list)
    fp32: list[float] = field(default_factory=list)


class BareStep:
    """The training step of a network on one batch of random pixels, over and over."""

    def __init__(
        self, case: Case, compute: Compute, memory_format: torch.memory_format = torch.channels_last
    ) -> None:
        recipe = case.recipe(1)
        self._settings, self._compute = recipe.training, compute
        self._network = build_network(case.backbone, CLASSES).to(
            device=compute.device, memory_format=memory_format
        )
        train_from(self._network, 0, BatchStatistics.UPDATED)
        self._optimizer = build_optimizer(self._network, recipe.peak_lr, recipe.training)
        shape = (case.batch_size, 3, case.size, case.size)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
        self._pixels = compute.move(pixels.contiguous(memory_format=memory_format))
        self._targets = compute.move(torch.arange(case.batch_size) % CLASSES)
        self.speed(2)  # the first steps prepare kernels and memory

    def speed(self, steps: int) -> float:
        """Return the images per second of `steps` steps."""
        began = time.perf_counter()
        for _ in range(steps):
            loss = self._step()
        float(loss)  # a GPU has to finish first
        return steps * len(self._pixels) / (time.perf_counter() - began)

    def _step(self) -> torch.Tensor:
        with self._compute.autocast():
            logits = self._network(self._pixels)
        loss = LOSS(logits.float(), self._targets)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.clip_norm)
        self._optimizer.step()
        return loss.detach()


def measure(case: Case, files: Sequence[Path], compute: Compute, measured: Measured) -> None:
    """Add one repeat to `measured`; each epoch stands between two measurements of the limit."""
    steps = len(files) // case.batch_size
    bare = BareStep(case, compute)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        kept = inspected(case, files, Path(folder))
        measured.inspection.append(time.perf_counter() - began)
        limits, epochs = [bare.speed(steps)], []

        def hear(log: EpochLog) -> None:
            epochs.append(log.rows_per_second)
            limits.append(bare.speed(steps))

        run_epochs(case.recipe(2), files, kept, compute, hear)
        run_epochs(case.recipe(1), files, None, compute, hear)
    as_usual = BareStep(case, replace(compute, precision="fp32"), torch.contiguous_format)
    around = [statistics.mean(pair) for pair in itertools.pairwise(limits)]
    measured.limit.append(statistics.mean(limits))
    measured.first.append(epochs[0] / around[0])
    measured.second.append(epochs[1] / around[1])
    measured.decoding.append(epochs[2] / around[2])
    measured.fp32.append(as_usual.speed(max(2, steps // 3)) / limits[-1])


def inspected(case: Case, files: Sequence[Path], cache: Path) -> KeptPixels:
    """Inspect `files` as `transfer fit` does for the first time; return the pixels it keeps."""
    recipe = case.recipe(1)
    labels = [str(number % CLASSES) for number in range(len(files))]
    table = pd.DataFrame({"image": [path.name for path in files], "label": labels})
    manifest = Manifest(files[0].parent, table, tuple(sorted(set(labels))))
    store = PixelStore(case.size, recipe.framing, 10**10, Terminal().warn, cache)
    found = inspect(
        manifest,
        TASK.reader(recipe.task),
        reader="benchmark",
        progress=Silent(),
        keep=store.keeping,
        cache=cache,
    )
    return store.find(as_names(found.manifest.rows["pixels"]))


def run_epochs(
    recipe: Recipe,
    files: Sequence[Path],
    kept: KeptPixels | None,
    compute: Compute,
    on_epoch: Callable[[EpochLog], None],
    watched: Callable[[Iterator[Batch]], Iterator[Batch]] = iter,
) -> None:
    """Train a new network on `files` as `transfer fit` does, without a look at val.

    Args:
        recipe: of the run.
        files: what it learns from.
        kept: their pixels, where they are on disk.
        compute: device and precision.
        on_epoch: hears of each epoch.
        watched: the batches of an epoch -> the same.
    """
    numbers = np.arange(len(files))
    pictures = Pictures(
        [Row(path) for path in files],
        TASK.reader(recipe.task),
        size=recipe.size,
        framing=recipe.framing,
        kept=kept,
    )
    batches = Batches(
        pictures,
        numbers % CLASSES,
        TrainingViews(TASK.augment(recipe.size, recipe.task), recipe.seed),
        batch_size=recipe.batch_size,
        workers=loader_workers(recipe.machine, compute),
        threads=compute.threads,
    )
    training = Training(
        batches=lambda epoch, first: watched(batches.training(numbers, epoch, first=first)),
        rows=len(files),
        batches_per_epoch=batches.steps(len(files)),
        loss=LOSS,
        prepare=lambda net, _: train_from(net, 0, BatchStatistics.UPDATED),
        validate=lambda _: Validation(Said(np.empty((0, CLASSES), np.float32)), {"none": 0.0}),
        on_epoch=on_epoch,
    )
    network = build_network(recipe.backbone, CLASSES).to(compute.device)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        trainer = Trainer(network, training, recipe, compute, Best("none", 0), checkpoints)
        trainer.begin([])
        trainer.run(Terminal(), Interruption())


def draw_files(folder: Path, case: Case, steps: int) -> list[Path]:
    """Write the JPEGs of an epoch of `steps`."""
    folder.mkdir()
    files = [folder / f"{number}.jpg" for number in range(steps * case.batch_size)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(draw_file, files, itertools.repeat(case.picture), chunksize=64))
    return files


def draw_file(path: Path, size: tuple[int, int]) -> None:
    """Write the picture of the number that is its name."""
    path.write_bytes(jpeg(int(path.stem), size))


def jpeg(number: int, size: tuple[int, int]) -> bytes:
    """Return picture `number`, height x width px; its detail is spread as in photographs."""
    rng = np.random.default_rng(number)
    picture = np.full((*size, 3), 128, np.float32)
    for octave in range(1, 9):
        coarse = rng.normal(0, 100 / 1.2**octave, (2**octave + 1, 2**octave + 1, 3))
        picture += cv2.resize(coarse.astype(np.float32), size[::-1])
    pixels = np.clip(picture, 0, 255).astype(np.uint8)
    encoded: bytes = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
    return encoded


def table(measured: dict[str, Measured]) -> str:
    """Return a Markdown table of medians, the range of the repeats in brackets."""
    head = (
        "model, px", "limit, images/s", "inspection, s", "first epoch", "second epoch",
        "decoding epoch", "fp32 channels-first",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, speeds in measured.items():
        shares = (speeds.first, speeds.second, speeds.decoding, speeds.fp32)
        seconds = _cell(speeds.inspection, 1)
        cells = [_cell(speeds.limit, 0), seconds, *(_cell(values, 3) for values in shares)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: Sequence[float], digits: int) -> str:
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def main() -> None:
    """Measure the chosen cases and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=CASES, default=list(CASES), metavar="MODEL")
    parser.add_argument("--steps", type=int, default=16, help="batches of an epoch")
    parser.add_argument("--batch-size", type=int, help="instead of the one of each model")
    parser.add_argument("--repeats", type=int, default=3, help="of the whole sequence")
    asked = parser.parse_args()

    compute = choose_compute(TASK.defaults().machine)
    print(f"torch {torch.__version__}, Python {platform.python_version()}, {compute.describe()}\n")
    cases = {name: CASES[name] for name in asked.models}
    if asked.batch_size:
        cases = {n: replace(case, batch_size=asked.batch_size) for n, case in cases.items()}
    measured = {name: Measured() for name in asked.models}
    with tempfile.TemporaryDirectory() as folder:
        files = {
            name: draw_files(Path(folder, name), case, asked.steps) for name, case in cases.items()
        }
        for repeat, name in itertools.product(range(asked.repeats), asked.models):
            print(f"{name}, repeat {repeat + 1} of {asked.repeats}", file=sys.stderr)
            measure(cases[name], files[name], compute, measured[name])
    print(table(measured))


if __name__ == "__main__":
    main()
