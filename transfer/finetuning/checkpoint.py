"""All that is needed to continue a training exactly, in one file that is whole or not there."""

import hashlib
import io
import os
import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transfer.errors import CheckpointError, OutputError

State = dict[str, Any]
"""Nested dicts, lists and tuples of tensors, numbers and texts: what torch reads without code."""

_SUFFIX, _DIGEST_LENGTH = ".pt", 32


class Checkpoints:
    """The checkpoints of one run in a folder; the newest is kept.

    A file is called `STEP-DIGEST.pt`: the digest of its bytes tells a damaged one.
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder, which need not be there yet."""
        self.folder = folder

    def save(self, state: State, step: int) -> None:
        """Write `state`, then let go of the older ones.

        Args:
            state: of the training.
            step: how far it has come, growing from one to the next.

        Raises:
            OutputError: the disk is full or gone; the checkpoint before stays as it is.
        """
        content = io.BytesIO()
        torch.save(state, content)
        data = content.getbuffer()
        file = self.folder / f"{step:09d}-{_digest(data)}{_SUFFIX}"
        incoming = self.folder / "incoming"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with incoming.open("wb") as written:
                written.write(data)
                written.flush()
                os.fsync(written.fileno())  # else the name may reach the disk before the bytes
            incoming.replace(file)
        except OSError as error:
            incoming.unlink(missing_ok=True)
            raise OutputError(
                f"no checkpoint can be written to {str(self.folder)!r}: {error.strerror or error}; "
                "the one before is untouched. Free some space, then continue with transfer resume"
            ) from error
        for older in self._files():
            if older != file:
                older.unlink(missing_ok=True)

    def load(self) -> State | None:
        """Return the newest state, None where nothing was saved yet.

        Raises:
            CheckpointError: it is damaged.
        """
        files = self._files()
        if not files:
            return None
        newest = files[-1]
        data = newest.read_bytes()
        if _digest(memoryview(data)) != newest.stem.partition("-")[2]:
            raise CheckpointError(
                f"the checkpoint {str(newest)!r} is damaged: its bytes are not those that were "
                "written. Start the run anew; from its best weights with --weights RUN"
            )
        try:
            state: State = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
            raise CheckpointError(
                f"the checkpoint {str(newest)!r} cannot be read by torch {torch.__version__}: "
                f"{error}"
            ) from error
        return state

    def exist(self) -> bool:
        """Say whether anything was saved."""
        return bool(self._files())

    def remove(self) -> None:
        """Delete the folder: the run is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"*-*{_SUFFIX}"))


def random_states(device: torch.device) -> State:
    """Return the random states of torch, of `device` if it is a card, of numpy and of Python."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002  # the one that libraries draw from
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss),
        "python": random.getstate(),
    }


def set_random_states(states: State, device: torch.device) -> None:
    """Put back what `random_states` returned."""
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None:
        torch.cuda.set_rng_state(states["cuda"], device)
    kind, keys, *rest = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002  # see above
    random.setstate(states["python"])


def _digest(data: memoryview) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH]
