"""What a card does during some training steps, and how long it stands idle between them.

    python benchmarks/timeline.py                     # resnet50 at 224 px, 256 pictures a step
    python benchmarks/timeline.py --figure steps.png  # and a drawing of three of the steps

The steps are those of a run: files, views, loader processes, the loop of `transfer fit`. torch's
profiler tells when each kernel ran. The card is idle where no kernel runs; a copy of the next batch
beside them is drawn, and is no work. Needs a CUDA card.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.profiler import ProfilerActivity, profile
from training_step import CASES, draw_files, inspected, run_epochs

from tasks.satellite_vegetation.task import TASK
from transfer.finetuning.devices import choose_compute
from transfer.pixels.batches import Batch

BEFORE, STEPS = 12, 10  # steps until all is in motion, and those that are watched


class Span(NamedTuple):
    """When something ran on the card, in ms."""

    kind: str
    start: float
    end: float


class Watch:
    """Profiles some steps in the middle of an epoch."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def __call__(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the batches."""
        profiler = profile(activities=[ProfilerActivity.CUDA])
        for number, batch in enumerate(batches):
            if number == BEFORE:
                profiler.start()
            if number == BEFORE + STEPS:
                torch.cuda.synchronize()
                profiler.stop()
                self.spans = spans_of(profiler)
            yield batch


def spans_of(profiler: profile) -> list[Span]:
    """Return kernels and copies by their start; the first is at 0."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    kinds = {"kernel": "kernels", "gpu_memset": "kernels", "gpu_memcpy": "copies"}
    on_card = [event for event in events if event.get("cat") in kinds]
    first = min(event["ts"] for event in on_card)
    return sorted(
        (
            Span(kinds[e["cat"]], (e["ts"] - first) / 1e3, (e["ts"] + e["dur"] - first) / 1e3)
            for e in on_card
        ),
        key=lambda span: span.start,
    )


def idle(kernels: list[Span]) -> list[Span]:
    """Return the gaps in which no kernel ran."""
    ends = np.maximum.accumulate([span.end for span in kernels])[:-1]
    starts = [span.start for span in kernels[1:]]
    return [
        Span("idle", end, start) for end, start in zip(ends, starts, strict=True) if start > end
    ]


def draw(spans: list[Span], path: Path) -> None:
    """Draw what ran when, a line for each kind."""
    figure = Figure(figsize=(12, 2.4), layout="constrained")
    axes = figure.subplots()
    kinds = ("kernels", "copies", "idle")
    for place, kind in enumerate(kinds):
        bars = [(span.start, span.end - span.start) for span in spans if span.kind == kind]
        axes.broken_barh(bars, (-place - 0.4, 0.8), color=f"C{place}")
    axes.set(yticks=[0, -1, -2], yticklabels=kinds, xlabel="ms")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Profile some steps and print what they are made of."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=CASES, default="resnet50-224")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--figure", type=Path, metavar="PNG")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("timeline.py: torch sees no CUDA card here")

    compute, watch = choose_compute(TASK.defaults().machine), Watch()
    case = replace(CASES[asked.model], batch_size=asked.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        files = draw_files(Path(folder, "files"), case, BEFORE + STEPS + 2)
        kept = inspected(case, files, Path(folder))
        run_epochs(case.recipe(1), files, kept, compute, lambda _: None, watch)
    kernels = [span for span in watch.spans if span.kind == "kernels"]
    whole = kernels[-1].end
    # The profiler's own start falls into the first of the steps.
    gaps = [gap for gap in idle(kernels) if gap.start > whole / STEPS]
    lengths = [gap.end - gap.start for gap in gaps]
    print(f"torch {torch.__version__}, {compute.describe()}; {asked.model}, {asked.batch_size}\n")
    print("| ms a step | idle | longest gap, ms | gaps over 1 ms |")
    print("|---|---|---|---|")
    share = sum(lengths) / (whole * (STEPS - 1) / STEPS)
    over = sum(length > 1 for length in lengths)
    print(f"| {whole / STEPS:.1f} | {share:.2%} | {max(lengths):.3f} | {over} |")
    if asked.figure:
        shown = (whole / STEPS, 4 * whole / STEPS)
        near = [span for span in (*watch.spans, *gaps) if shown[0] < span.start < shown[1]]
        draw(near, asked.figure)


if __name__ == "__main__":
    main()
