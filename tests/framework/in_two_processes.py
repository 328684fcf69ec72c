"""Started twice by test_launch.py, as a launcher does: what two processes do together.

Each case writes what it came to; the same cases, alone, are what the tests compare it with.
"""

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from transfer.cache.block import as_names
from transfer.cache.row_store import RowStore
from transfer.errors import ManifestError, TransferError
from transfer.finetuning.checkpoint import Checkpoints
from transfer.finetuning.devices import Compute
from transfer.finetuning.features import FeatureCache
from transfer.finetuning.interruption import Interruption
from transfer.finetuning.joint import start_alike
from transfer.finetuning.lesson import Host, Lesson
from transfer.finetuning.strategies import learn
from transfer.finetuning.training import EpochLog
from transfer.images.pictures import Pixels
from transfer.launch import join
from transfer.network.backbone import Design, Network, build_network
from transfer.network.objective import OBJECTIVES, Loss, make_loss
from transfer.pixels.batches import Batches
from transfer.pixels.cache import Pictures
from transfer.processes import Processes
from transfer.progress import Silent
from transfer.recipe import Recipe
from transfer.samples.manifest import Row
from transfer.samples.predictions import Said
from transfer.samples.target import TargetKind
from transfer.scoring.predict import joined, predict_rows
from transfer.settings import ProbeSettings, TrainingSettings

SIZE, CLASSES = 32, 3
TRAIN, VAL = np.arange(37), np.arange(37, 48)
"""37 rows in batches of at most 8 are 8, 8, 7, 7 and 7: two processes cannot share them evenly."""
TARGETS = np.arange(48) % CLASSES
TRAINING = TrainingSettings(batch_statistics="frozen", warmup=0.0)
PROBE = ProbeSettings(l2=(1.0,))
RECIPE = Recipe(epochs=2, seed=4, lr=3e-3, batch_size=8, training=TRAINING, probe=PROBE)
HARD = TRAINING.model_copy(update={"accumulate": 2, "clip_norm": 0.05, "ema": 0.9})
DRAWN = TRAINING.model_copy(update={"batch_statistics": "updated", "dropout": 0.3, "mixup": 0.4})
CASES = {
    "adapted": RECIPE,
    "probed": RECIPE.model_copy(update={"strategy": "partial"}),
    "hard": RECIPE.model_copy(update={"strategy": "finetune", "training": HARD}),
    "found": RECIPE.model_copy(update={"strategy": "finetune", "lr": "auto", "epochs": 1}),
    "drawn": RECIPE.model_copy(update={"strategy": "finetune", "training": DRAWN}),
}
IN_EPOCH_2 = 8
"""Which batch of 5 + 5 meets something."""


def lesson(recipe: Recipe, processes: Processes, folder: Path) -> Lesson:
    """Return pictures whose class is the colour that they are tinted with."""

    def tinted(row: Row) -> Pixels:
        number = int(row.path.stem)
        pixels = np.random.default_rng(number).integers(0, 150, (SIZE, SIZE, 3), dtype=np.uint8)
        pixels[:, :, TARGETS[number]] += 60
        return pixels

    def predict(network: Network, numbers: np.ndarray) -> Said:
        own = batches.plain(processes.share.part(numbers))
        said = predict_rows(network, own, objective.probabilities)
        return joined(processes.gather(said))

    def score(said: Said) -> dict[str, float]:
        right = said.probabilities[np.arange(len(VAL)), TARGETS[VAL]]
        return {"likelihood": float(np.log(right).mean())}

    rows = [Row(Path(f"{number}.png")) for number in range(len(TARGETS))]
    pictures = Pictures(rows, tinted, size=SIZE, framing="crop", memory_bytes=10**6)
    batches = Batches(pictures, TARGETS, batch_size=8, seed=recipe.seed, share=processes.share)
    objective = OBJECTIVES[TargetKind.SINGLE_LABEL]
    loss = make_loss(TargetKind.SINGLE_LABEL, recipe.training, np.bincount(TARGETS[TRAIN]))
    names = as_names(f"{number:016x}" for number in range(len(TARGETS)))
    store = RowStore("features", 10**9, warned, folder)
    features = FeatureCache(rows, names, "", "", store)
    return Lesson(
        batches, features, TRAIN, VAL, TARGETS, objective, loss, predict, score, "likelihood"
    )


def warned(line: str) -> None:
    raise AssertionError(line)


class Meeting:
    """The loss of a run that meets something when it is asked so many times.

    It is asked once for a batch, and twice where that is mixed.
    """

    def __init__(self, loss: Loss, at: int, meet: Callable[[Tensor], Tensor]) -> None:
        self._loss, self._left, self._meet = loss, at, meet
        self.balanced = loss.balanced

    def __call__(self, logits: Tensor, targets: Tensor, done: float) -> Tensor:
        self._left -= 1
        loss = self._loss(logits, targets, done)
        return loss if self._left else self._meet(loss)


def teach(
    processes: Processes,
    folder: Path,
    recipe: Recipe,
    meet: tuple[int, Callable[[Tensor], Tensor]] | None = None,
) -> dict[str, Any]:
    """Return what came of a training; with `meet`, one process meets something at a step."""
    torch.manual_seed(recipe.seed)
    design = Design(dropout=recipe.training.dropout)
    network = build_network("test_resnet", CLASSES, design=design)
    start_alike(network, recipe.seed, processes)
    given = lesson(recipe, processes, folder)
    if meet is not None and not processes.share.is_first:
        given = replace(given, loss=Meeting(given.loss, *meet))
    logs, found = list[EpochLog](), list[float]()
    interruption = Interruption(processes)
    host = Host(
        Compute(torch.device("cpu"), "fp32", 1, "a test", processes),
        Silent(),
        logs.append,
        Checkpoints(folder / "checkpoints"),
        interruption,
        lambda _, value: found.append(value),
    )
    with interruption.heeded():
        learned = learn(network, given, recipe, host)
    return {
        "ended": [str(part) for part in (learned.ended.ending, learned.ended.where)],
        "losses": [log.loss for log in logs],
        "found": found,
        "scores": [log.scores["likelihood"] for log in logs],
        "said": torch.from_numpy(learned.val.said.probabilities),
        "weights": network.state_dict(),
    }


def told_to_end(loss: Tensor) -> Tensor:
    signal.raise_signal(signal.SIGTERM)
    return loss


def explode(loss: Tensor) -> Tensor:
    return loss * float("nan")


def break_down(loss: Tensor) -> Tensor:
    raise ManifestError("the pictures of process 1 are gone")


def fail(loss: Tensor) -> Tensor:
    raise KeyError("our own mistake")


def exchange(processes: Processes, folder: Path) -> dict[str, Any]:
    """Return what each exchange gives."""
    rank, wide = processes.share.rank, torch.ones(4, 3, 2, 2).to(memory_format=torch.channels_last)
    parts = [wide * (rank + 1), torch.tensor([rank, 5])]
    aligned, place = [torch.full((2, 2), float(rank)).T], folder / "in turn"

    def look() -> bool:
        seen = place.exists()
        place.touch()
        return seen

    return {
        "share": tuple(processes.share),
        "total": processes.total(0.5 + rank, parts),
        "parts": parts,
        "aligned": (processes.align(aligned), aligned)[1],
        "first": processes.first(lambda: f"made by {rank}"),
        "gathered": processes.gather("ab"[rank] * (rank + 1)),
        "collected": processes.collect(rank),
        "turn": processes.in_turn(look),
    }


def ended_by(processes: Processes, do: Callable[[], object]) -> str:
    """Return the error that a block ended by."""
    try:
        with processes.together():
            do()
    except (TransferError, KeyError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def main(folder: Path) -> None:
    """Go through all cases with the other process."""
    torch.set_num_threads(1)
    processes = join()
    came: dict[str, Any] = {"exchange": exchange(processes, folder)}
    for name, recipe in CASES.items():
        came[name] = teach(processes, folder / name, recipe)
    drawn = CASES["drawn"]
    stopped = teach(processes, folder / "stopped", drawn, (2 * IN_EPOCH_2, told_to_end))
    went_on = teach(processes, folder / "stopped", drawn)
    came |= {"stopped": stopped["ended"], "went on": went_on}
    came["exploded"] = teach(processes, folder / "nan", CASES["hard"], (IN_EPOCH_2, explode))
    for name, meet in (("broke down", break_down), ("failed", fail)):
        came[name] = ended_by(
            processes, lambda n=name, m=meet: teach(processes, folder / n, drawn, (3, m))
        )
    came["nested"] = ended_by(processes, lambda: processes.first(lambda: processes.total(1)))
    torch.save(came, folder / f"came {processes.share.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
