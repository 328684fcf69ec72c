"""Seconds from the command to the first training step, and where they go.

    python benchmarks/start_up.py                        # the demo's chips, at 64 px
    python benchmarks/start_up.py --data FOLDER --repeats 3

Each repeat is a process of its own: `transfer fit` with the strategy that trains at once, on files
that were looked at before. Its parts are stamped where one hands on to the next, and what comes
after the last epoch as well. Beside the seconds stand those of the processor, which other work on
the machine does not change as much.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PROCESS = """
import json, sys, time
began = float(sys.argv[1])
stamps = []

def stamp(part):
    stamps.append((part, time.time() - began, time.process_time()))

def stamped(owner, name, part):
    call = getattr(owner, name)
    def wrapper(*args, **options):
        result = call(*args, **options)
        stamp(part)
        return result
    setattr(owner, name, wrapper)

stamp("interpreter")
import transfer.start
stamp("imports")
import transfer.experiment as experiment
from transfer.finetuning import finetuner
stamped(transfer.start, "prepared", "store, look at the files, split")
stamped(experiment, "assemble", "network")
stamped(finetuner.Trainer, "begin", "record, optimizer")
stamped(experiment.Logbook, "epoch", "epoch and val")
stamped(experiment, "_scored", "test, scores, figures")
from torch import Tensor
backward = Tensor.backward
def first_backward(*args, **options):
    Tensor.backward = backward
    result = backward(*args, **options)
    stamp("first step")
    return result
Tensor.backward = first_backward
transfer.start.fit("satellite_vegetation", sys.argv[2], strategy="finetune", weights="starter",
                   epochs=1, out=sys.argv[3])
stamp("model, delivery to the store")
print(json.dumps(stamps))
"""


def measure(data: Path, out: Path) -> list[tuple[str, float, float]]:
    """Return the parts of one run, each with the seconds on the clock and of the processor."""
    # The wall clock is the only one that two processes share.
    command = [sys.executable, "-c", _PROCESS, str(time.time()), str(data), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    stamps = json.loads(done.stdout.splitlines()[-1])
    before = [("", 0.0, 0.0), *stamps[:-1]]
    return [
        (part, wall - wall_before, used - used_before)
        for (part, wall, used), (_, wall_before, used_before) in zip(stamps, before, strict=True)
    ]


def table(runs: list[list[tuple[str, float, float]]]) -> str:
    """Return a Markdown table of medians, with a line for all up to the first step."""
    lines = ["| part | seconds | of the processor |", "|---|---|---|"]
    wall = used = 0.0
    for number, (part, *_) in enumerate(runs[0]):
        own, processor = (statistics.median(run[number][k] for run in runs) for k in (1, 2))
        wall, used = wall + own, used + processor
        lines.append(f"| {part} | {own:.1f} | {processor:.1f} |")
        if part == "first step":
            lines.append(f"| **to the first step** | {wall:.1f} | {used:.1f} |")
    return "\n".join([*lines, f"| **all** | {wall:.1f} | {used:.1f} |"])


def main() -> None:
    """Draw chips where none are given, look at them once, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="of satellite_vegetation; else 600 drawn chips")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRANSFER_CACHE"] = str(Path(folder, "cache"))
        data = asked.data or Path(folder, "chips")
        if asked.data is None:
            command = ["-m", "transfer", "samples", "satellite_vegetation", "--out", str(data)]
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
        measure(data, Path(folder, "runs"))  # files are looked at, and the store is made
        print(table([measure(data, Path(folder, "runs")) for _ in range(asked.repeats)]))


if __name__ == "__main__":
    main()
