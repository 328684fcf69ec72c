"""Device, precision, memory format, threads and allocator: chosen for the machine, said aloud."""

import ctypes
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from transfer.errors import RecipeError
from transfer.processes import ALONE, Processes, Share
from transfer.settings import MachineSettings

# Without these, a processor emulates bf16 and training runs at half the speed of fp32.
_BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


@dataclass(frozen=True)
class Compute:
    """Where and how the arithmetic of a run is done.

    Attributes:
        device: "cpu", or the card of this process.
        precision: "bf16" or "fp32", of training and of features that are only fitted on.
        threads: of one step on the CPU.
        reason: why this precision, for people.
        processes: that do it together.
    """

    device: torch.device
    precision: str
    threads: int
    reason: str
    processes: Processes = ALONE

    @property
    def dtype(self) -> torch.dtype:
        """What convolutions are computed in while training."""
        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which training computes; scoring stays outside of it, in fp32."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def move(self, tensor: Tensor) -> Tensor:
        """Return `tensor` on the device; a copy from pinned memory does not wait."""
        return tensor.to(self.device, non_blocking=True)

    def settings(self) -> dict[str, Mapping[str, str | int]]:
        """Return what was chosen as settings, which choose the same again."""
        return {
            "machine": {
                "device": self.device.type,
                "precision": self.precision,
                "threads": self.threads,
            }
        }

    def describe(self) -> str:
        """Return one line for people."""
        place = f"{self.threads} threads" if self.device.type == "cpu" else _cuda_name()
        size = self.processes.share.size
        each = f"{size} processes of " if size > 1 else ""
        return f"{self.device.type}, {each}{place}, {self.precision} channels-last ({self.reason})"


def choose_compute(settings: MachineSettings, processes: Processes = ALONE) -> Compute:
    """Return device and precision for this machine, and set threads and allocator to match.

    Scoring must not depend on the card: TF32 is switched off for the process.

    Raises:
        RecipeError: a device that is not here, or that several processes would have to share.
    """
    device = _device(settings.device, processes.share)
    threads = settings.threads or _threads(processes.share)
    torch.set_num_threads(threads)
    if settings.deterministic:
        # What has no such algorithm says so in a warning, and goes on.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)  # noqa: FBT003  # torch's form
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    if device.type == "cpu":
        _keep_freed_memory()
    precision, reason = _precision(settings.precision, device)
    return Compute(device, precision, threads, reason, processes)


def loader_workers(settings: MachineSettings, compute: Compute) -> int:
    """Return how many processes read pictures.

    On a CPU the step itself takes every core: pictures are prepared by threads between steps, and
    more processes only fight with it. A GPU is fed by the cores it leaves idle.
    """
    if settings.workers is not None:
        return settings.workers
    local_size = compute.processes.share.local_size
    return 0 if compute.device.type == "cpu" else max(1, _cores() // local_size - 1)


def _threads(share: Share) -> int:
    """Return how many threads a step takes; a launcher allows one, to be on the safe side."""
    return torch.get_num_threads() if share.size == 1 else max(1, _cores() // share.local_size)


def _device(wish: str, share: Share) -> torch.device:
    here = torch.cuda.is_available()
    if wish == "cuda" and not here:
        raise RecipeError(
            "machine.device = 'cuda': torch sees no CUDA device here; take auto or cpu"
        )
    if not here or wish == "cpu":
        return torch.device("cpu")
    if share.size == 1:
        return torch.device("cuda")
    if share.local_size > (cards := torch.cuda.device_count()):
        raise RecipeError(
            f"{share.local_size} processes on a machine with {cards} CUDA card(s): each needs a "
            f"card of its own; take --nproc-per-node {cards}, or --set machine.device=cpu"
        )
    torch.cuda.set_device(share.local_rank)
    return torch.device("cuda", share.local_rank)


def _precision(wish: str, device: torch.device) -> tuple[str, str]:
    if wish != "auto":
        return wish, "as asked"
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", "the card has it") if fast else ("fp32", "the card has no bf16")
    has = torch.cpu.get_capabilities()
    found = [name for name in _BF16_INSTRUCTIONS if has.get(name)]
    if found:
        return "bf16", f"the processor has {found[0]}"
    return "fp32", "the processor has no bf16 instructions"


def _keep_freed_memory() -> None:
    """Make glibc reuse large buffers instead of returning them to the system after each step.

    Page faults otherwise take 10 to 28 % of a training step on a CPU. No effect elsewhere.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # a C library that is not glibc
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cuda_name() -> str:
    return str(torch.cuda.get_device_name())
