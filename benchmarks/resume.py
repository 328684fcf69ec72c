"""Kill runs at random moments, continue them, and compare with runs that nobody touched.

    python benchmarks/resume.py                      # 20 kills over every strategy, ten minutes
    python benchmarks/resume.py --kills 4 --strategies lp-ft

Each strategy is run once in peace. The same command is then started again and killed (SIGKILL)
after a random time, again and again, and continued with `transfer resume` as a person would, until
its share of the kills is spent and it ends by itself. What must be equal: every byte of the weights
and every number of the run but speed and the state of the machine; and no number may stand twice
at a step.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import TransferError
from transfer.recipe import Strategy
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import Store, connect, open_store

TRANSFER = (sys.executable, "-m", "transfer.cli.app")
RESTLESS = ("system/", "train/images_per_second")


@dataclass(frozen=True)
class Outcome:
    """What a run left: a digest of its weights, and every number by name and step."""

    weights: str
    numbers: dict[str, list[tuple[int, float]]]


def command(strategy: str, data: Path, out: Path) -> list[str]:
    """Return the command that runs `strategy`, with checkpoints every second or so."""
    weights = [] if strategy == Strategy.SCRATCH else ["--weights", "starter"]
    options = ["--data", data, "--out", out, "--name", "run", "--epochs", "3", "--size", "64"]
    often = ["--set", "machine.checkpoint_minutes=0.02", "--set", "training.dropout=0.1"]
    fit = [*TRANSFER, "fit", "satellite_vegetation", "--strategy", strategy, *options]
    return [str(word) for word in [*fit, *weights, *often]]


def outcome(out: Path) -> Outcome:
    """Read back what the run in the store `out` left."""
    store = open_store(out)
    run = find_run(store, "run")
    weights = (model_folder(store, run) / "network.safetensors").read_bytes()
    client = connect(store)
    numbers = {
        name: [(one.step, one.value) for one in client.get_metric_history(run.run_id, name)]
        for name in client.get_run(run.run_id).data.metrics
        if not name.startswith(RESTLESS)
    }
    return Outcome(hashlib.sha256(weights).hexdigest(), numbers)


def in_peace(strategy: str, data: Path, out: Path) -> tuple[Outcome, float]:
    """Return what an untouched run leaves, and its seconds."""
    began = time.perf_counter()
    subprocess.run(command(strategy, data, out), check=True, capture_output=True)
    return outcome(out), time.perf_counter() - began


def killed(
    strategy: str, data: Path, out: Path, moments: Iterator[float]
) -> tuple[Outcome, list[str]]:
    """Return what a run leaves that is killed now and then, and what it said last each time.

    Args:
        strategy: of the run.
        data: its chips.
        out: a fresh store.
        moments: seconds after each start; when they are spent, the run goes on to its end.
    """
    hits = []
    while (words := _next(strategy, data, out)) is not None:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            said, _ = process.communicate(timeout=next(moments, None))
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            hits.append(_last_line(said))
        else:
            if process.returncode:
                raise SystemExit(f"{' '.join(words)} failed:\n{said.decode()}")
    return outcome(out), hits


def _next(strategy: str, data: Path, out: Path) -> list[str] | None:
    """Return how the run begins or goes on; None where it is over."""
    store = open_store(out)
    if _is_over(store):
        return None
    if any(store.checkpoints("").glob("*/run.json")):
        return [*TRANSFER, "resume", "run", "--out", str(out)]
    return command(strategy, data, out)


def _is_over(store: Store) -> bool:
    try:
        return find_run(store, "run").status == "FINISHED"
    except TransferError:
        return False


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:60] if lines else "(nothing said yet)"


def differences(kept: Outcome, reference: Outcome) -> list[str]:
    """Return what differs, one line each."""
    found = [] if kept.weights == reference.weights else ["the weights differ"]
    for name in sorted(set(kept.numbers) | set(reference.numbers)):
        mine, theirs = kept.numbers.get(name, []), reference.numbers.get(name, [])
        if len({step for step, _ in mine}) < len(mine):
            found.append(f"{name} has a step twice: {mine}")
        elif sorted(mine) != sorted(theirs):
            found.append(f"{name}: {mine} instead of {theirs}")
    return found


def main() -> None:
    """Run, kill, continue, compare; exit with 1 where anything differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--strategies", nargs="+", choices=list(Strategy), default=list(Strategy))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--pictures", type=int, default=200)
    asked = parser.parse_args()

    draw, wrong = random.Random(asked.seed), 0  # noqa: S311  # no secret
    print("| strategy | seconds in peace | kills | while it said | differences |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = place / "chips"
        samples = [*TRANSFER, "samples", "satellite_vegetation", "--out", str(data)]
        count = ["--count", str(asked.pictures)]
        subprocess.run([*samples, *count], check=True, capture_output=True)
        for number, strategy in enumerate(asked.strategies):
            share = len(range(number, asked.kills, len(asked.strategies)))
            reference, seconds = in_peace(strategy, data, place / f"{strategy}-peace")
            hits, found = list[str](), list[str]()
            while len(hits) < share:
                out = place / f"{strategy}-{len(list(place.iterdir()))}"
                moments = (draw.uniform(0.3, 1.0) * seconds for _ in range(share - len(hits)))
                kept, met = killed(strategy, data, out, moments)
                hits, found = hits + met, found + differences(kept, reference)
                seconds *= 1 if met else 0.8  # the moments came when all was done
            wrong += bool(found)
            cells = [strategy, f"{seconds:.0f}", str(len(hits)), "; ".join(hits)]
            print(f"| {' | '.join(cells)} | {'; '.join(found) or 'none'} |", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
