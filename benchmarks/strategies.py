"""Every way of transferring on real data: test scores with intervals, and minutes.

    python benchmarks/strategies.py DATA                                    # all of it, hours
    python benchmarks/strategies.py DATA --sets faces --strategies probe lp-ft --seeds 0 1 2

DATA holds a folder for each set, with its pictures in class folders and the split beside them as
`split.csv` (`image,label[,group],split`); sets that are not there are passed over. The starter
weights at 64 px, each task's own recipe. Runs go to a store (`--out`); what it has already is not
run again, so that an interrupted table goes on. `--train-per-class` keeps so many training rows of
each class and half as many of val, drawn by a fixed seed: what do few pictures change?
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import transfer
from transfer.cli.console import Terminal
from transfer.recipe import Strategy
from transfer.tracking.runs import list_runs
from transfer.tracking.store import Store, open_store

HEADLINE = "balanced_accuracy"


@dataclass(frozen=True)
class Set:
    """A data set: the task that reads it, and what its labels do not allow."""

    task: str
    settings: dict[str, Any] = field(default_factory=dict)


SETS = {
    "satellite": Set("satellite_vegetation"),
    "medical": Set("labelled_images", {"task": {"flip": False}}),  # the heart has a side
    # A left turn is not a right turn, and the rim of a sign tells what kind it is.
    "driving": Set("labelled_images", {"task": {"flip": False}, "framing": "squash"}),
    "faces": Set("labelled_images"),
}


def table_of(folder: Path, per_class: int | None) -> Path:
    """Return the split table of a set, with few training rows of each class where asked."""
    whole = folder / "split.csv"
    if per_class is None:
        return whole
    rows = pd.read_csv(whole, dtype=str)
    most = {"train": per_class, "val": max(1, per_class // 2), "test": len(rows)}
    shuffled = rows.sample(frac=1, random_state=0)
    place = shuffled.groupby(["label", "split"]).cumcount()
    few = shuffled[place < shuffled["split"].map(most)].sort_index()
    path = folder / f"split_{per_class}.csv"
    few.to_csv(path, index=False)
    return path


def run_name(name: str, strategy: str, seed: int, per_class: int | None) -> str:
    """Return what a run of the table is called."""
    few = f"-{per_class}" if per_class is not None else ""
    return f"{name}{few}-{strategy}-{seed}"


def measure(folder: Path, name: str, strategy: str, seed: int, asked: argparse.Namespace) -> None:
    """Run one cell of the table."""
    one = SETS[name]
    began = time.perf_counter()
    result = transfer.fit(
        one.task,
        table_of(folder, asked.train_per_class),
        strategy=strategy,
        weights=None if strategy == Strategy.SCRATCH else "starter",
        size=64,
        seed=seed,
        name=run_name(name, strategy, seed, asked.train_per_class),
        settings=one.settings,
        out=asked.out,
        progress=Terminal() if asked.verbose else None,
    )
    minutes = (time.perf_counter() - began) / 60
    print(
        f"{result.name}: val {result.val[HEADLINE]:.3f}, test {result.test[HEADLINE]:.3f}, "
        f"{minutes:.1f} min",
        file=sys.stderr,
    )


def table(store: Store, asked: argparse.Namespace) -> str:
    """Return the runs of the store as a Markdown table, a line for each set and strategy."""
    runs = list_runs(store)
    runs = runs[runs["status"] == "FINISHED"].set_index("name")
    head = f"test {HEADLINE}: mean (lowest to highest seed), interval of seed {asked.seeds[0]}"
    lines = [f"| set | strategy | seeds | {head} | val |", "|---|---|---|---|---|"]
    for name in asked.sets:
        for strategy in asked.strategies:
            names = [run_name(name, strategy, seed, asked.train_per_class) for seed in asked.seeds]
            found = runs.loc[[one for one in names if one in runs.index]]
            if found.empty:
                continue
            test, first = list(found["test"]), found.iloc[0]
            ends = f"[{first['test_low']:.3f}, {first['test_high']:.3f}]"
            spread = f"{statistics.mean(test):.3f} ({min(test):.3f} to {max(test):.3f}) {ends}"
            val = f"{found['val'].mean():.3f}"
            lines.append(f"| {name} | {strategy} | {len(found)} | {spread} | {val} |")
    return "\n".join(lines)


def main() -> None:
    """Run what the store lacks, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--strategies", nargs="+", choices=list(Strategy), default=list(Strategy))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--train-per-class", type=int, metavar="N")
    parser.add_argument("--out", type=Path, default=Path("mlruns"))
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()

    store = open_store(asked.out)
    for seed in asked.seeds:
        for name in asked.sets:
            folder = asked.data / name
            if not (folder / "split.csv").is_file():
                print(f"{name}: no {folder / 'split.csv'}; passed over", file=sys.stderr)
                continue
            for strategy in asked.strategies:
                done = set(list_runs(store)["name"])
                if run_name(name, strategy, seed, asked.train_per_class) not in done:
                    measure(folder, name, strategy, seed, asked)
    print(table(store, asked))


if __name__ == "__main__":
    main()
