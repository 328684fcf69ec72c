"""How time and memory of a run grow with the number of rows.

    python benchmarks/scaling.py                        # 1,000 to a million rows, some minutes
    python benchmarks/scaling.py --rows 1000 100000 --strategy finetune

Rows are different windows of 8 px of a few hundred pictures, decoded beforehand: what is measured
is what a row costs beside its pixels. A run is planned (read, inspected, split) and carried out, in
a process of its own and with empty caches: by default a probe of a small network, whose features of
all rows are computed, kept and fitted on. Memory is what the process holds for itself at its peak;
files that are mapped are no part of it, the interpreter with torch is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from PIL import Image

from transfer.assembly import Place
from transfer.experiment import run
from transfer.images.crop import Box, crop
from transfer.images.pictures import Pixels, read_picture
from transfer.overlay import Layer
from transfer.plan import make_plan
from transfer.plugin.discovery import load_task
from transfer.plugin.task import Task
from transfer.progress import Silent
from transfer.samples.manifest import Manifest, Row
from transfer.tracking.tracker import SilentTracker

FILES, FILE_PX, SIZE, CLASSES = 400, 64, 8, 10
SETTINGS = {
    "backbone": "resnet20", "weights": "none", "size": SIZE, "batch_size": 256, "epochs": 1,
    "probe": {"l2": [0.01], "iterations": 20}, "machine": {"device": "cpu"},
}  # fmt: skip
_READ_EVERY_SECONDS = 0.05
_decoded = lru_cache(maxsize=FILES)(read_picture)


def manifest_of(data: Path, rows: int) -> Manifest:
    """Return so many rows, four to a group, each a window of its own."""
    numbers = np.arange(rows)
    windows, side = numbers // FILES, FILE_PX - SIZE + 1
    table = pd.DataFrame(
        {
            "image": [f"{number}.png" for number in (numbers % FILES).tolist()],
            "label": [f"class {number}" for number in (numbers % CLASSES).tolist()],
            "group": [f"scene {number}" for number in (numbers // 4).tolist()],
            "box": [_box(window % side, window // side) for window in windows.tolist()],
        }
    )
    return Manifest(data, table, tuple(f"class {number}" for number in range(CLASSES)))


def _box(left: int, top: int) -> Box:
    return Box(left, top, left + SIZE, top + SIZE)


def window(row: Row, _settings: object) -> Pixels:
    """Return the window of a row: (8, 8, 3) uint8."""
    pixels = _decoded(row.path)
    return pixels if row.box is None else crop(pixels, row.box)


@contextmanager
def watched(peaks: dict[str, float], what: str) -> Iterator[None]:
    """Note the seconds of `what`, and the memory at its peak in GB."""
    process, over, highest = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while not over.wait(_READ_EVERY_SECONDS):
            used = process.memory_info()
            highest[0] = max(highest[0], used.rss - used.shared)

    thread = threading.Thread(target=watch)
    thread.start()
    began = time.perf_counter()
    yield
    peaks[f"{what} s"] = time.perf_counter() - began
    over.set()
    thread.join()
    peaks[f"{what} GB"] = highest[0] / 1e9


def child(data: Path, rows: int, strategy: str) -> None:
    """Plan and carry out one run; print what it took."""
    task = Task(
        name="scaling",
        summary="windows of a few pictures",
        read_manifest=lambda folder, _: manifest_of(folder, rows),
        read_image=window,
        augment=load_task("labelled_images").augment,
        settings=load_task("labelled_images").settings,
    )
    layers, found = [Layer("benchmark", {**SETTINGS, "strategy": strategy})], dict[str, float]()
    used = psutil.Process().memory_info()
    found["start GB"] = (used.rss - used.shared) / 1e9
    with watched(found, "plan"):
        plan = make_plan(task, data, layers, find_model=Path, progress=Silent())
    with watched(found, "run"), tempfile.TemporaryDirectory() as folder:
        place = Place(Path, Path(folder).joinpath)
        run(plan, SilentTracker(), Silent(), place, log_pictures=False)
    print(json.dumps(found))


def measured(data: Path, rows: int, strategy: str) -> dict[str, float]:
    """Return what one run took, in a process of its own."""
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, __file__, "--child", str(data), str(rows), strategy]
        done = subprocess.run(
            command, env={**os.environ, "TRANSFER_CACHE": cache}, stdout=subprocess.PIPE, check=True
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def draw_files(data: Path) -> None:
    """Write the pictures that the windows are cut from."""
    for number in range(FILES):
        pixels = np.random.default_rng(number).integers(
            0, 256, (FILE_PX, FILE_PX, 3), dtype=np.uint8
        )
        Image.fromarray(pixels).save(data / f"{number}.png")
        os.utime(data / f"{number}.png", (1e9, 1e9))


def main() -> None:
    """Measure each number of rows and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", type=int, default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--strategy", default="probe")
    parser.add_argument("--child", nargs=3, metavar=("DATA", "ROWS", "STRATEGY"))
    asked = parser.parse_args()
    if asked.child:
        child(Path(asked.child[0]), int(asked.child[1]), asked.child[2])
        return
    print("| rows | plan, s | run, s | rows/s | peak GB: plan | run | above the start |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data:
        draw_files(Path(data))
        for rows in asked.rows:
            took = measured(Path(data), rows, asked.strategy)
            above = max(took["plan GB"], took["run GB"]) - took["start GB"]
            speed = rows / (took["plan s"] + took["run s"])
            print(
                f"| {rows:,} | {took['plan s']:.1f} | {took['run s']:.1f} | {speed:,.0f} | "
                f"{took['plan GB']:.2f} | {took['run GB']:.2f} | {above:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
