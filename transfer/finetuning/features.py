"""Features of rows from a frozen backbone: computed once, found by what they depend on."""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from transfer.cache.block import Block, Names, as_names, locate
from transfer.cache.row_store import RowStore
from transfer.finetuning.devices import Compute
from transfer.network.backbone import Network
from transfer.network.folding import fold
from transfer.pixels.batches import Batch
from transfer.processes import Processes
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

    Several processes compute a share each of what is missing. The first one keeps and returns it;
    the others, which fit nothing, get no rows.

    Attributes:
        rows: of the manifest, by number; a training view may depend on any part of a row.
        pixels: digest of the decoded pixels of each row, by number.
        view: names what leads from decoded pixels to the network's: size and framing.
        passes: names what draws training views: task, its settings and the seed.
        store: where features stay.
    """

    rows: Sequence[Row]
    pixels: Names
    view: str
    passes: str
    store: RowStore

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
        return self._find_or_compute(network, wanted, arithmetic, compute.processes)

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
        arithmetic = f"float32 fp32 {compute.device.type}"
        return self._find_or_compute(network, wanted, arithmetic, compute.processes)

    def _names(self, numbers: NDArray[np.int64], epoch: int | None) -> Names:
        if epoch is None:
            return self.pixels[numbers]
        # The random state of a view comes from the number of its row.
        texts = (f"{self.pixels[n].decode()} {n} {self.rows[n]!r}" for n in numbers.tolist())
        return as_names(_digest(text) for text in texts)

    def _find_or_compute(
        self, network: Network, wanted: "_Wanted", arithmetic: str, processes: Processes
    ) -> Tensor:
        network.eval()
        key = _digest(
            f"{backbone_digest(network)} {self.view} {arithmetic} {_versions(_LIBRARIES)}"
        )
        with ExitStack() as waiting:
            blocks = list[Block]()
            if processes.share.is_first:
                blocks = self.store.blocks(key, wanted.names)
                if len(_missing(wanted, blocks)):
                    waiting.enter_context(self.store.alone(key))
                    blocks = self.store.blocks(key, wanted.names)  # of a process that was faster
            missing = processes.first(lambda: _missing(wanted, blocks))
            if len(missing):
                parts: Iterable[_Part] = _computed(wanted, processes.share.part(missing))
                if processes.share.size > 1:
                    parts = chain.from_iterable(processes.collect(list(parts)))
                blocks += self._keep(parts, key, len(missing), len(wanted.names))
        return _gather(wanted.names, blocks) if blocks else torch.empty(0, 0)

    def _keep(self, parts: Iterable["_Part"], key: str, rows: int, of: int) -> list[Block]:
        """Return `parts`, so many rows of a set of `of`, kept all together or not at all."""
        with self.store.writer(key, rows, of=of, memory=True) as writer:
            for names, features in parts:
                for name, row in zip(names.tolist(), features, strict=True):
                    writer.append(name, row)
            return writer.publish()


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
    """Return 32 hex digits naming what makes features of pixels: weights, statistics, mean, stages.

    The head does not enter.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(f"{network.name} {network.normalization!r} {network.stages}".encode())
    for name, tensor in sorted(network.backbone.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


@dataclass(frozen=True)
class _Wanted:
    """Rows whose features are asked for, and how they are computed where they are missing."""

    numbers: NDArray[np.int64]
    names: Names
    read: Read
    embed: Callable[[Batch], Tensor]
    dtype: np.dtype[Any]


class _Part(NamedTuple):
    """Some rows that were computed: their names (n,) and features (n, D)."""

    names: Names
    features: NDArray[Any]


def _missing(wanted: _Wanted, blocks: Sequence[Block]) -> NDArray[np.int64]:
    """Return which of the rows no block holds, (m,), in their order, equal ones once."""
    absent = np.flatnonzero(locate(wanted.names, blocks)[0] < 0)
    _, first = np.unique(wanted.names[absent], return_index=True)
    return absent[np.sort(first)]


def _computed(wanted: _Wanted, chosen: NDArray[np.int64]) -> Iterator[_Part]:
    """Yield the rows `chosen` (m,), a batch at a time.

    On a card, batches of other rows may round other bits: a run that is killed and goes on has to
    compute the same batches again.
    """
    by_number = chosen[np.argsort(wanted.numbers[chosen])]
    dtype = wanted.dtype
    for batch in wanted.read(wanted.numbers[chosen]):
        with torch.inference_mode():
            features = wanted.embed(batch).float().cpu().numpy()
        if dtype == np.float16 and np.abs(features).max(initial=0) > _MOST_FLOAT16:
            dtype = np.dtype(np.float32)  # from here on; what was rounded stays so
        places = np.searchsorted(wanted.numbers[by_number], batch.numbers.numpy())
        yield _Part(wanted.names[by_number[places]], features.astype(dtype))


def _gather(names: Names, blocks: Sequence[Block]) -> Tensor:
    """Return the features of `names` (n, D); mapped, not copied, where they lie side by side."""
    of_block, positions = locate(names, blocks)
    first = blocks[int(of_block[0])].rows
    if (of_block == of_block[0]).all() and (np.diff(positions) == 1).all():
        return _as_tensor(first[positions[0] : positions[-1] + 1])
    dtype = np.result_type(*(block.rows.dtype for block in blocks))
    features = np.empty((len(names), first.shape[1]), dtype)
    for number, block in enumerate(blocks):
        rows = np.flatnonzero(of_block == number)
        features[rows] = block.rows[positions[rows]]
    return torch.from_numpy(features)


def _as_tensor(mapped: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        # A writable mapping would count as memory; nobody writes to features.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(mapped)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _versions(libraries: Sequence[str]) -> str:
    return " ".join(f"{name} {version(name)}" for name in libraries)
