"""One look at every file: is it readable, and what is in it?"""

import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.errors import ImageError, ManifestError
from transfer.images.pictures import Pixels
from transfer.progress import Progress
from transfer.samples.manifest import Manifest, Row
from transfer.samples.seen_files import Digests, FileState, SeenFiles, cache_folder

_MOST_BROKEN = 0.1
_SHOWN = 5
_AT_ONCE = 2048  # rows in the queue; all of a large set would take memory for nothing
_MOST_THREADS = 32


class Broken(NamedTuple):
    """A picture that cannot be read, POSIX path below the root, and why."""

    image: str
    reason: str


@dataclass(frozen=True)
class Inspected:
    """The readable rows, each with `content`, `pixels` and `key`, and what was left out."""

    manifest: Manifest
    broken: tuple[Broken, ...]


def inspect(
    manifest: Manifest,
    read: Callable[[Row], Pixels],
    *,
    reader: str,
    progress: Progress,
    cache: Path | None = None,
    threads: int | None = None,
) -> Inspected:
    """Read every file once, and name each row by what is in it.

    Digests are remembered by path, size, mtime and reader: an unchanged file is not opened again.

    Args:
        manifest: the rows.
        read: the task's reader.
        reader: a text that names the reader with its settings; another text, another memory.
        progress: sees a bar over the files that have to be opened.
        cache: folder of the memory; unset takes the user's own.
        threads: how many files are read at once; unset takes the number of cores.

    Raises:
        ManifestError: more than a tenth of the files cannot be read.
    """
    files = _file_states(manifest)
    memory = SeenFiles(cache or cache_folder(), reader)
    found: list[Digests | str | None] = [*memory.recall(files)]
    new = [number for number, digests in enumerate(found) if digests is None]
    if new:
        looks = _look_at(manifest, new, read, threads)
        try:
            with progress.step("inspect", len(new), "files") as step, closing(looks):
                for number, look in zip(new, looks, strict=True):
                    found[number] = look
                    step.advance()
        finally:  # what was seen before an interrupt counts as well
            seen = ((files[number], found[number]) for number in new)
            memory.remember((file, look) for file, look in seen if isinstance(look, Digests))
    return _sort_out(manifest, found)


def _look_at(
    manifest: Manifest, numbers: list[int], read: Callable[[Row], Pixels], threads: int | None
) -> Generator[Digests | str]:
    # Threads, not processes: decoding and hashing release the interpreter, a reader need not be
    # picklable, and of small chips, where threads gain little, one core reads thousands a second.
    pool = ThreadPoolExecutor(threads or min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        for first in range(0, len(numbers), _AT_ONCE):
            rows = map(manifest.row, numbers[first : first + _AT_ONCE])
            yield from pool.map(partial(_look, read), rows)
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupt does not wait for what is queued


def _file_states(manifest: Manifest) -> list[FileState]:
    root = manifest.root.absolute()
    states: dict[str, tuple[int, int]] = {}
    for image in manifest.rows["image"].unique():
        try:
            about = (root / image).stat()
        except OSError:
            states[image] = (-1, -1)  # reading it will say why
        else:
            states[image] = (about.st_size, about.st_mtime_ns)
    images = manifest.rows["image"].tolist()
    return [
        FileState(str(root / image), row.part, *states[image])
        for image, row in zip(images, manifest.all_rows(), strict=True)
    ]


def _look(read: Callable[[Row], Pixels], row: Row) -> Digests | str:
    """Return the digests of a row, or the reason why it has none."""
    try:
        content = _content(row.source())
        pixels = read(row)
    except ImageError as error:
        reason = str(error).removeprefix(f"{str(row.path)!r} ")  # the row is named beside it
        return f"{row.part}: {reason}" if row.part else reason
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    shape = _short_hash(f"{pixels.dtype} {pixels.shape} ".encode())
    shape.update(np.ascontiguousarray(pixels).data)
    return Digests(content, shape.hexdigest())


def _content(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return _short_hash(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, _short_hash).hexdigest()


def _short_hash(data: bytes = b"") -> hashlib.blake2b:
    # 64 bits: that two of a million files agree by chance happens once in 30 million data sets.
    return hashlib.blake2b(data, digest_size=8)


def _sort_out(manifest: Manifest, found: Sequence[Digests | str | None]) -> Inspected:
    images = manifest.rows["image"].tolist()
    broken = tuple(
        Broken(image, look)
        for image, look in zip(images, found, strict=True)
        if isinstance(look, str)
    )
    if len(broken) > _MOST_BROKEN * len(manifest):
        reasons = "\n  ".join(f"{image!r}: {reason}" for image, reason in broken[:_SHOWN])
        raise ManifestError(
            f"{len(broken)} of {len(manifest)} pictures of {str(manifest.root)!r} cannot be read, "
            f"more than {_MOST_BROKEN:.0%}; mend or remove them:\n  {reasons}"
        )
    good = [look for look in found if isinstance(look, Digests)]
    kept = manifest.keep(np.array([isinstance(look, Digests) for look in found]))
    kept = kept.with_columns(
        content=[digests.content for digests in good], pixels=[digests.pixels for digests in good]
    )
    return Inspected(kept.with_columns(key=_keys(kept)), broken)


def _keys(manifest: Manifest) -> "pd.Series[str]":
    """Return names of the rows that depend on what is in them, and not on how files are called.

    Rows of equal content are numbered by label, split, and what else is in their group; only among
    groups that agree in all of that does the name of the group decide, and it decides in the same
    way for all their rows, so that nobody can tell the difference.
    """
    rows = manifest.rows
    names = rows["content"] + ("@" + rows["box"].map(str) if "box" in rows else "")
    twins = names.duplicated(keep=False)
    if not twins.any():
        return names
    table = rows[["label", "split", "group", "image"]].assign(name=names)
    table["inside"] = _group_contents(manifest.group_numbers(), table)
    table = table[twins].sort_values(["label", "split", "inside", "group", "image"])
    again = table.groupby("name").cumcount()
    suffix = ("-" + (again + 1).astype(str)).where(again > 0, "")
    return names + suffix.reindex(names.index, fill_value="")


def _group_contents(numbers: NDArray[np.int64], table: pd.DataFrame) -> list[str]:
    """Return for each row a digest of the names, labels and splits in its group."""
    cells = (table[column].tolist() for column in ("name", "label", "split"))
    digests: dict[int, hashlib.blake2b] = {}
    for *texts, number in sorted(zip(*cells, numbers.tolist(), strict=True)):
        digests.setdefault(number, _short_hash()).update("\0".join(texts).encode() + b"\n")
    return [digests[number].hexdigest() for number in numbers.tolist()]
