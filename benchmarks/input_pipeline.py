"""What one core does with pictures on their way to the network, step by step.

    python benchmarks/input_pipeline.py                     # photographs at 224 px, chips at 64 px
    python benchmarks/input_pipeline.py --seconds 1 --sizes 64

Everything runs in one thread, by turns in one process, in seconds of that thread: other work on the
machine costs less then, though it still takes memory bandwidth. The last column is the share of the
views, which is what an epoch from kept pixels mostly does.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tasks.satellite_vegetation.task import TASK
from transfer.images.framing import frame
from transfer.images.pictures import read_picture
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.pixels.views import TrainingViews
from transfer.samples.manifest import Row

sys.path.insert(0, str(Path(__file__).parent))  # its neighbour, however this one is started
from training_step import CASES, draw_files, inspected

OF_SIZE = {224: CASES["resnet18-224"], 64: CASES["resnet18-64"]}
VIEWS = "views from kept pixels"
PICTURES = 64


def stages(files: Sequence[Path], size: int, cache: Path) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; each call does it to every one of `files`."""
    case, settings = OF_SIZE[size], TASK.settings
    rows, numbers = [Row(path) for path in files], np.arange(len(files))
    framing = case.recipe(1).framing
    kept = inspected(case, files, cache)
    pictures = Pictures(rows, TASK.reader(settings), size=size, framing=framing, kept=kept)
    views = TrainingViews(TASK.augment(size, settings), seed=0)
    batches = Batches(pictures, np.zeros(len(files), np.int64), views, batch_size=case.batch_size)
    decoded = [read_picture(path) for path in files]
    return {
        "decode": lambda: [read_picture(path) for path in files],
        "frame": lambda: [frame(picture, size, framing) for picture in decoded],
        "look up kept pixels": lambda: [pictures[int(n)].copy() for n in numbers],
        VIEWS: lambda: [views(pictures[int(n)], rows[n], 1, int(n)) for n in numbers],
        "batches of views": lambda: [len(batch.numbers) for batch in batches.training(numbers, 1)],
        "batches of plain rows": lambda: [len(batch.numbers) for batch in batches.plain(numbers)],
    }


def speeds(done: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Return images per second of each stage, one for each of its turns."""
    found: dict[str, list[float]] = {name: [] for name in done}
    for work in done.values():  # the first time checks what is kept, and fills tables
        work()
    ends = time.perf_counter() + seconds * len(done)
    while time.perf_counter() < ends or len(found[VIEWS]) < 3:
        for name, work in done.items():
            began = time.thread_time()
            work()
            found[name].append(PICTURES / (time.thread_time() - began))
    return found


def main() -> None:
    """Measure the chosen sizes and print a table of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", type=int, choices=OF_SIZE, default=list(OF_SIZE))
    parser.add_argument("--seconds", type=float, default=3, help="of each stage")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print("| px | stage | images/s/core | of the views |\n|---|---|---|---|")
    for size in asked.sizes:
        with tempfile.TemporaryDirectory() as folder:
            files = draw_files(Path(folder, "files"), OF_SIZE[size], -(-PICTURES // 32))[:PICTURES]
            found = speeds(stages(files, size, Path(folder, "cache")), asked.seconds)
        of_views = statistics.median(found[VIEWS])
        for name, each in found.items():
            middle = statistics.median(each)
            spread = f"{min(each):,.0f}-{max(each):,.0f}"
            print(f"| {size} | {name} | {middle:,.0f} ({spread}) | {middle / of_views:.2f} |")


if __name__ == "__main__":
    main()
