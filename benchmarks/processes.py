"""How much faster several processes train than one on this machine, with the same cores.

    python benchmarks/processes.py
    python benchmarks/processes.py --processes 1 2 4 --model resnet50 --batch-size 64

One row for each number of processes: images a second of the steps of an epoch, pixels in memory,
by the product's own loop, and the ratio to the first row. They are started by torchrun, by turns,
because machines drift; the median of the repeats counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import choose_compute, loader_workers
from transfer.finetuning.finetuner import Trainer
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.joint import start_alike
from transfer.finetuning.stopping import Best, Validation
from transfer.finetuning.training import EpochLog, Training
from transfer.images.pictures import Pixels
from transfer.launch import join
from transfer.network.backbone import Network, build_network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.network.objective import make_loss
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.manifest import Row
from transfer.samples.predictions import Said
from transfer.samples.target import TargetKind

CLASSES = 10


def measure(recipe: Recipe, rows: int) -> float:
    """Return images a second of the second epoch, in this process and those beside it."""
    processes = join()
    compute = choose_compute(recipe.machine, processes)
    network = build_network(recipe.backbone, CLASSES).to(compute.device)
    start_alike(network, recipe.seed, processes)
    targets = np.arange(rows) % CLASSES

    def draw(row: Row) -> Pixels:
        shape = (recipe.size, recipe.size, 3)
        return np.random.default_rng(int(row.path.stem)).integers(0, 256, shape, dtype=np.uint8)

    def validate(network: Network) -> Validation:
        network.eval()
        return Validation(Said(np.ones((1, CLASSES), np.float32)), {"accuracy": 1.0})

    pictures = Pictures(
        [Row(Path(f"{number}.png")) for number in range(rows)],
        draw,
        size=recipe.size,
        framing=recipe.framing,
        memory_bytes=10**10,
    )
    batches = Batches(
        pictures,
        targets,
        batch_size=recipe.batch_size,
        workers=loader_workers(recipe.machine, compute),
        threads=compute.threads,
        share=processes.share,
    )
    numbers, logs = np.arange(rows), list[EpochLog]()
    for number in range(rows):  # any of them may come to any process
        pictures[number]
    training = Training(
        batches=lambda epoch, first: batches.training(numbers, epoch, first=first, shared=True),
        rows=rows,
        batches_per_epoch=batches.steps(rows),
        loss=make_loss(TargetKind.SINGLE_LABEL, recipe.training, [1] * CLASSES),
        prepare=lambda net, _: train_from(net, 0, BatchStatistics.UPDATED),
        validate=validate,
        on_epoch=logs.append,
    )
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        best = Best("accuracy", 0)
        trainer = Trainer(network, training, recipe, compute, best, checkpoints)
        trainer.run(Silent(), Interruption(processes))
    return logs[-1].rows_per_second


def started(processes: int, arguments: list[str]) -> float:
    """Return images a second of so many processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    ended = subprocess.run(
        [sys.executable, *launcher, __file__, "--measure", *arguments],
        check=True,
        capture_output=True,
        text=True,
        # As many threads as without a launcher; choose_compute divides them.
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    return float(ended.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    recipe = Recipe(
        backbone=given.model, size=given.size, batch_size=given.batch_size, epochs=2, lr=1e-3
    )
    if given.measure:
        speed = measure(recipe, given.steps * given.batch_size)
        if join().share.is_first:
            print(speed)
        return
    arguments = [
        f"--{name.replace('_', '-')}={getattr(given, name)}"
        for name in ("model", "size", "batch_size", "steps")
    ]
    speeds: dict[int, list[float]] = {count: [] for count in given.processes}
    for _ in range(given.repeats):
        for count, measured in speeds.items():
            measured.append(started(count, arguments))
    first = statistics.median(speeds[given.processes[0]])
    print(f"{given.model} at {given.size} px, {given.batch_size} rows a step of all processes")
    print("processes  images/s  ratio  from      to")
    for count, measured in speeds.items():
        middle = statistics.median(measured)
        ends = f"{min(measured):<8.1f}  {max(measured):.1f}"
        print(f"{count:<9}  {middle:<8.1f}  {middle / first:<5.2f}  {ends}")


if __name__ == "__main__":
    main()
