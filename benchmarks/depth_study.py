"""Is a deeper plain network worse even on what it learns from? Does the shortcut turn that round?

    python benchmarks/depth_study.py DATA                       # EuroSAT chips, about half an hour
    python benchmarks/depth_study.py DATA --epochs 60 --rows 0  # on a card: all rows, long enough
    python benchmarks/depth_study.py DATA --keep errors.csv     # what is in there is not run again
    python benchmarks/depth_study.py DATA --seeds 1 --networks plain56 --keep 1.csv  # one of many
    python benchmarks/depth_study.py DATA --keep errors.csv --figure depth.png

The claim that residual networks were built on (He et al. 2016, arXiv:1512.03385, figure 1 and 6):
of plain networks the deeper one has the higher *training* error, so that it is no matter of
overfitting; with shortcuts it has the lower one. Four networks for CIFAR-size pictures, plain and
residual at 20 and 56 layers, learn the same chips at 32 px from scratch, with the same recipe and
as many steps. Training error is measured at the end, on the training rows as scoring sees them,
with the last weights. Its interval is over the seeds, which draw weights, order and views.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from tasks.satellite_vegetation.task import TASK
from transfer.cli.console import Terminal
from transfer.finetuning.devices import Compute, choose_compute, loader_workers
from transfer.finetuning.schedule import learning_rate
from transfer.network.backbone import Network, Normalization, build_network
from transfer.network.freezing import BatchStatistics, train_from
from transfer.network.objective import OBJECTIVES
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.pixels.views import TrainingViews
from transfer.plan import read_rows
from transfer.samples.manifest import Manifest
from transfer.samples.target import TargetKind
from transfer.scoring.predict import predict_rows

NETWORKS = ("plain20", "plain56", "resnet20", "resnet56")
SIZE, BATCH_SIZE = 32, 128
PEAK, MOMENTUM, DECAY, WARMUP = 0.1, 0.9, 1e-4, 0.05  # He et al. 2016, section 4.2, but a cosine
NUMBERS = Normalization((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


@dataclass(frozen=True)
class Chips:
    """What all networks learn from."""

    batches: Batches
    numbers: NDArray[np.int64]
    targets: NDArray[np.int64]
    classes: int


def chips_of(manifest: Manifest, rows: int, seed: int, compute: Compute) -> Chips:
    """Return `rows` chips of the manifest, the same for every network and seed; 0 takes all."""
    recipe = TASK.defaults()
    pictures = Pictures(
        manifest.all_rows(),
        TASK.reader(recipe.task),
        size=SIZE,
        framing="squash",
        memory_bytes=10**10,
    )
    batches = Batches(
        pictures,
        manifest.targets,
        TrainingViews(TASK.augment(SIZE, recipe.task), seed),
        batch_size=BATCH_SIZE,
        seed=seed,
        workers=loader_workers(recipe.machine, compute),
        threads=compute.threads,
    )
    order = np.random.default_rng(0).permutation(len(manifest))
    numbers = np.sort(order[: rows or None])
    return Chips(batches, numbers, manifest.targets, len(manifest.classes))


def train(name: str, chips: Chips, epochs: int, seed: int, compute: Compute) -> Network:
    """Return the network `name` after so many epochs from scratch."""
    torch.manual_seed(seed)
    network = build_network(name, chips.classes, NUMBERS)
    torch.nn.init.kaiming_normal_(network.head.weight, nonlinearity="linear")
    network.to(compute.device)
    train_from(network, 0, BatchStatistics.UPDATED)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=PEAK, momentum=MOMENTUM, weight_decay=DECAY
    )
    steps, done = epochs * chips.batches.steps(len(chips.numbers)), 0
    for epoch in range(1, epochs + 1):
        for batch in chips.batches.training(chips.numbers, epoch):
            optimizer.param_groups[0]["lr"] = learning_rate(done, steps, PEAK, WARMUP)
            with compute.autocast():
                logits = network(compute.move(batch.pixels))
            loss = torch.nn.functional.cross_entropy(logits.float(), compute.move(batch.targets))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            done += 1
    return network


def training_error(network: Network, chips: Chips) -> float:
    """Return the share of the training chips that the network gets wrong."""
    probabilities = OBJECTIVES[TargetKind.SINGLE_LABEL].probabilities
    said = predict_rows(network, chips.batches.plain(chips.numbers), probabilities)
    guesses = said.probabilities.argmax(axis=1)
    return float((guesses != chips.targets[chips.numbers]).mean())


def table(errors: pd.DataFrame) -> str:
    """Return the errors as Markdown, and the differences between the depths, seed against seed."""
    lines = ["| network | training error, % | by seed | minutes |", "|---|---|---|---|"]
    known = set(errors["network"])
    for name in (name for name in NETWORKS if name in known):
        own = errors[errors["network"] == name]
        each = " ".join(f"{100 * error:.1f}" for error in own["error"])
        cells = [name, _interval(list(own["error"])), each, f"{own['minutes'].mean():.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    wide = errors.pivot_table(index="seed", columns="network", values="error")
    pairs = [kind for kind in ("plain", "resnet") if {f"{kind}20", f"{kind}56"} <= known]
    for kind in pairs:
        gap = list((wide[f"{kind}56"] - wide[f"{kind}20"]).dropna())
        lines.append(f"\n{kind}56 minus {kind}20: {_interval(gap)} points")
    return "\n".join(lines)


def draw(errors: pd.DataFrame, path: Path) -> None:
    """Draw the training error against the depth, a line for each kind and seed."""
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    for color, kind in zip(("C1", "C0"), ("plain", "resnet"), strict=True):
        names = [f"{kind}20", f"{kind}56"]
        wide = 100 * errors.pivot_table(index="seed", columns="network", values="error")[names]
        axes.plot([20, 56], wide.T, "o-", color=color, alpha=0.35)
        axes.plot([20, 56], wide.mean(), color=color, linewidth=2.5, label=kind)
    axes.set(xlabel="layers", ylabel="training error, %", xticks=[20, 56], ylim=(0, None))
    axes.legend()
    figure.savefig(path, dpi=120)


def _interval(values: Sequence[float]) -> str:
    """Return the mean in percent with its 95 % t interval over the seeds."""
    mean = 100 * statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.1f}"
    spread = 100 * statistics.stdev(values) / len(values) ** 0.5
    half = float(stats.t.ppf(0.975, len(values) - 1)) * spread
    return f"{mean:.1f} [{mean - half:.1f}, {mean + half:.1f}]"


def main() -> None:
    """Train every network with every seed, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="class folders, or a table")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--rows", type=int, default=2000, help="chips to learn from; 0 takes all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--figure", type=Path, metavar="PNG", help="of all four networks")
    parser.add_argument("--keep", type=Path, metavar="CSV", help="of the same epochs and rows")
    asked = parser.parse_args()

    compute = choose_compute(TASK.defaults().machine)
    print(f"torch {torch.__version__}, {compute.describe()}; {asked.epochs} epochs\n")
    manifest = read_rows(TASK, TASK.defaults(), asked.data, Terminal()).manifest
    errors = pd.read_csv(asked.keep) if asked.keep and asked.keep.is_file() else pd.DataFrame()
    for seed in asked.seeds:
        chips = chips_of(manifest, asked.rows, seed, compute)
        for name in asked.networks:
            if len(errors) and ((errors["network"] == name) & (errors["seed"] == seed)).any():
                continue
            began = time.perf_counter()
            network = train(name, chips, asked.epochs, seed, compute)
            minutes = (time.perf_counter() - began) / 60
            error = training_error(network, chips)
            line = {"network": name, "seed": seed, "error": error, "minutes": minutes}
            errors = pd.concat([errors, pd.DataFrame([line])], ignore_index=True)
            if asked.keep:
                errors.to_csv(asked.keep, index=False)
            print(f"{name}, seed {seed}: {100 * error:.1f} % wrong", file=sys.stderr)
    print(table(errors))
    if asked.figure:
        draw(errors, asked.figure)


if __name__ == "__main__":
    main()
