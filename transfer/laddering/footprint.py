"""What a backbone costs on this machine, measured in a fresh process that does nothing else."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from transfer.errors import MeasuringError
from transfer.recipe import Recipe

MANY = 32
"""Pictures of the larger batch whose latency is measured."""


@dataclass(frozen=True)
class Footprint:
    """What one backbone costs, with a head of ten classes, on pictures that are drawn.

    Attributes:
        parameters: numbers that are learned.
        macs: multiply-adds of one picture.
        latency_ms: of one picture, pixels to logits, in fp32 as predict does; the median.
        latency_many_ms: of a batch of 32.
        memory_mb: most that the process held until then, libraries included; on a card, most that
            tensors held on it.
        training_images_per_second: of steps with all weights, reading left out.
        training_memory_mb: as memory_mb, after those steps.
    """

    parameters: int
    macs: int
    latency_ms: float
    latency_many_ms: float
    memory_mb: float
    training_images_per_second: float
    training_memory_mb: float


def measure_footprint(backbone: str, recipe: Recipe) -> Footprint:
    """Return what `backbone` costs at the size, batch size and machine settings of `recipe`.

    The peak of a process never falls again, so each backbone has a process of its own.

    Raises:
        MeasuringError: the process ended before it had measured.
    """
    wanted = {
        "backbone": backbone,
        "size": recipe.size,
        "batch_size": recipe.batch_size,
        "machine": recipe.machine.model_dump(mode="json"),
    }
    # Not from the current folder: a file there may be called as one of the libraries.
    command = [sys.executable, "-P", "-m", "transfer.laddering.footprint", json.dumps(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise MeasuringError(f"{backbone} could not be measured: {last}")
    return Footprint(**json.loads(done.stdout.splitlines()[-1]))


def _measure(backbone: str, size: int, batch_size: int, machine: dict[str, object]) -> Footprint:
    """Measure in this process, from small to large: its peak only rises."""
    # torch, which whoever asks for a footprint has in another process
    from transfer.finetuning.devices import choose_compute  # noqa: PLC0415
    from transfer.finetuning.speed import measure_latency, measure_training  # noqa: PLC0415
    from transfer.network.cost import count_cost  # noqa: PLC0415
    from transfer.settings import MachineSettings  # noqa: PLC0415

    settings = MachineSettings.model_validate(machine)
    one, many = (measure_latency(backbone, size, rows, settings) for rows in (1, MANY))
    device = choose_compute(settings).device.type
    memory = _peak_mb(device)
    speed = measure_training(backbone, size, batch_size, settings)
    training_memory = _peak_mb(device)
    cost = count_cost(backbone, size)
    return Footprint(
        cost.parameters, cost.macs, 1e3 * one, 1e3 * many, memory, speed, training_memory
    )


def _peak_mb(device: str) -> float:
    """Return the most memory so far, MB: of this process, or on its card."""
    if device == "cuda":
        import torch  # noqa: PLC0415  # loaded by now

        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status")
    if status.is_file():  # Linux; getrusage there begins with the peak of whoever started us
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415  # there only

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource  # noqa: PLC0415  # on no Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measure(**json.loads(sys.argv[1])))) + "\n")
