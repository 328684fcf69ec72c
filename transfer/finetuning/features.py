"""Features of rows from a frozen backbone: computed once, found by what they depend on."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer.finetuning.devices import Compute
from transfer.finetuning.feature_store import Block, FeatureStore
from transfer.network.backbone import Network
from transfer.network.folding import fold
from transfer.pixels.batches import Batch
from transfer.samples.manifest import Row

Read = Callable[[NDArray[np.int64]], Iterable[Batch]]
"""Row numbers (n,) -> their batches, in any order."""

_ROWS = 16  # of a batch, or a multiple of it
_MOST_FLOAT16 = float(np.finfo(np.float16).max)
_LIBRARIES = ("resnet-transfer", "torch", "timm", "opencv-python-headless")
_PASS_LIBRARIES = ("albumentations",)


@dataclass(frozen=True)
class FeatureCache:
    """Features of the rows of a manifest, kept under the digest of everything they depend on.

    That is the backbone's weights and statistics, its normalization, the view, the arithmetic and
    the libraries, and for each row the digest of its decoded pixels. So another split, other
    labels, more files or fewer reuse what is there.

    Attributes:
        rows: of the manifest, by number; a training view may depend on any part of a row.
        pixels: digest of the decoded pixels of each row, by number.
        view: names what leads from decoded pixels to the network's: size and framing.
        passes: names what draws training views: task, its settings and the seed.
        store: where features stay; None keeps nothing.
    """

    rows: Sequence[Row]
    pixels: Sequence[str]
    view: str
    passes: str
    store: FeatureStore | None = None

    def fitted_on(
        self,
        network: Network,
        numbers: NDArray[np.int64],
        read: Read,
        compute: Compute,
        epoch: int | None = None,
    ) -> Tensor:
        """Return features (n, D) that only fit a head: training precision, rounded to float16.

        Where a feature is beyond float16, all are float32. They are rounded whether they are kept
        or not, so that the cache changes no result. They come from a copy of the network with batch
        norms folded into convolutions: before rounding, relative error under 1e-5 in fp32.

        Args:
            network: its backbone is put in eval mode.
            numbers: rows, in the order of the result.
            read: reads rows that are not kept yet.
            compute: device and precision.
            epoch: whose training views `read` gives; None for plain views.
        """
        arithmetic = f"float16 folded {compute.precision} {compute.device.type}"
        if epoch is not None:
            arithmetic += f" epoch {epoch} of {self.passes} {_versions(_PASS_LIBRARIES)}"

        folded = cache(partial(fold, network, compute.dtype))  # once, and only if rows are missing

        def embed(batch: Batch) -> Tensor:
            with compute.autocast():
                return _embed(folded(), compute.move(batch.pixels))

        wanted = _Wanted(numbers, self._names(numbers, epoch), read, embed, np.dtype(np.float16))
        return self._find_or_compute(network, wanted, arithmetic)

    def scored(
        self, network: Network, numbers: NDArray[np.int64], read: Read, compute: Compute
    ) -> Tensor:
        """Return features (n, D) float32 of plain views, computed as scoring and prediction do.

        Those that were kept to be fitted on are never taken for them.

        Args:
            network: its backbone is put in eval mode.
            numbers: rows, in the order of the result.
            read: reads rows that are not kept yet.
            compute: the device; fp32, whatever its training precision.
        """

        def embed(batch: Batch) -> Tensor:
            return _embed(network, compute.move(batch.pixels))

        wanted = _Wanted(numbers, self._names(numbers, None), read, embed, np.dtype(np.float32))
        return self._find_or_compute(network, wanted, f"float32 fp32 {compute.device.type}")

    def _names(self, numbers: NDArray[np.int64], epoch: int | None) -> list[str]:
        if epoch is None:
            return [self.pixels[number] for number in numbers.tolist()]
        # The random state of a view comes from the number of its row.
        texts = (f"{self.pixels[n]} {n} {self.rows[n]!r}" for n in numbers.tolist())
        return [hashlib.blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]

    def _find_or_compute(self, network: Network, wanted: "_Wanted", arithmetic: str) -> Tensor:
        network.eval()
        if self.store is None:
            return _gather(wanted.names, [_compute(wanted, wanted.names, lambda block: block)])
        own = f"{backbone_digest(network)} {self.view} {arithmetic} {_versions(_LIBRARIES)}"
        key = hashlib.blake2b(own.encode(), digest_size=16).hexdigest()
        blocks = self.store.blocks(key, wanted.names)
        if _missing(wanted.names, blocks):
            with self.store.alone(key):
                blocks = self.store.blocks(key, wanted.names)  # of a process that was faster
                if missing := _missing(wanted.names, blocks):
                    blocks.append(_compute(wanted, missing, partial(self.store.add, key)))
        return _gather(wanted.names, blocks)


def _embed(network: Network, pixels: Tensor) -> Tensor:
    """Return features (B, D) that do not depend on which rows are in a batch together.

    On a CPU a row has the same bits in batches of 16, 32, 48, ... rows, and may have others in
    small and odd ones, which take other paths (seen with one row alone; and in one thread without
    AVX-512 with under 16 rows, and 21 to 23). So the last row is repeated.
    """
    rows = len(pixels)
    if lacking := -rows % _ROWS:
        pixels = torch.cat([pixels, pixels[-1:].expand(lacking, -1, -1, -1)])
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    return network.embed(pixels)[:rows]


def backbone_digest(network: Network) -> str:
    """Return 32 hex digits naming what turns pixels into features: weights, statistics, mean.

    The head does not enter.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{network.name} {network.normalization!r}".encode())
    for name, tensor in sorted(network.backbone.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Wanted:
    """Rows whose features are asked for, and how they are computed where they are missing."""

    numbers: NDArray[np.int64]
    names: Sequence[str]
    read: Read
    embed: Callable[[Batch], Tensor]
    dtype: np.dtype[Any]


def _missing(names: Sequence[str], blocks: Sequence[Block]) -> list[str]:
    """Return which of `names` no block holds, in their order."""
    held = {name for block in blocks for name in block.names}
    return [name for name in names if name not in held]


@torch.inference_mode()
def _compute(wanted: _Wanted, names: Sequence[str], keep: Callable[[Block], Block]) -> Block:
    """Return the rows `names` as a block, kept whole or not at all.

    On a card, batches of other rows may round other bits: a run that is killed and goes on has to
    compute the same batches again.
    """
    name_of = dict(zip(wanted.numbers.tolist(), wanted.names, strict=True))
    number_of = {name: number for number, name in reversed(name_of.items())}
    numbers = np.array([number_of[name] for name in dict.fromkeys(names)], dtype=np.int64)
    features, done = np.empty((len(numbers), 0), wanted.dtype), list[str]()
    for batch in wanted.read(numbers):
        part = wanted.embed(batch).float().cpu().numpy()
        features = _with_room(features, part)
        features[len(done) : len(done) + len(part)] = part
        done += [name_of[number] for number in batch.numbers.tolist()]
    return keep(Block(tuple(done), features))


def _with_room(features: NDArray[Any], part: NDArray[np.float32]) -> NDArray[Any]:
    """Return `features` as wide as `part` and of a type that holds its numbers."""
    if not features.shape[1]:
        features = np.empty((len(features), part.shape[1]), features.dtype)
    if features.dtype == np.float16 and np.abs(part).max(initial=0) > _MOST_FLOAT16:
        return features.astype(np.float32)
    return features


def _gather(names: Sequence[str], blocks: Sequence[Block]) -> Tensor:
    """Return the features of `names` (n, D); mapped, not copied, where they lie side by side."""
    places = {
        name: (number, position)
        for number, block in enumerate(blocks)
        for position, name in enumerate(block.names)
    }
    found = np.array([places[name] for name in names], dtype=np.int64).reshape(-1, 2)
    of_block, positions = found[:, 0], found[:, 1]
    first = blocks[of_block[0]].features
    if (of_block == of_block[0]).all() and (np.diff(positions) == 1).all():
        return torch.from_numpy(first[positions[0] : positions[-1] + 1])
    dtype = np.result_type(*(block.features.dtype for block in blocks))
    features = np.empty((len(names), first.shape[1]), dtype)
    for number, block in enumerate(blocks):
        rows = np.flatnonzero(of_block == number)
        features[rows] = block.features[positions[rows]]
    return torch.from_numpy(features)


def _versions(libraries: Sequence[str]) -> str:
    return " ".join(f"{name} {version(name)}" for name in libraries)
