"""One look at every file: is it readable, and what is in it?"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from transfer.cache.folder import folder_of
from transfer.errors import ImageError, ManifestError
from transfer.images.pictures import Pixels
from transfer.progress import Progress, Step
from transfer.samples.look import Look
from transfer.samples.manifest import Manifest, Row
from transfer.samples.neighbours import by_frame
from transfer.samples.seen_files import FileState, SeenFiles
from transfer.samples.side_by_side import side_by_side

_MOST_BROKEN = 0.1
_SHOWN = 5
_AT_ONCE = 20_000  # rows between two times that what was seen is remembered
_DIGEST = np.dtype("S16")

Keep = Callable[[str, Pixels], object]
"""Takes the digest of decoded pixels, and the pixels; called from several threads."""
Measure = Callable[[Row, Pixels], Mapping[str, float]]
"""(row, its decoded pixels) -> numbers by name; called from several threads."""


class Broken(NamedTuple):
    """A picture that cannot be read, POSIX path below the root, and why."""

    image: str
    reason: str


@dataclass(frozen=True)
class Inspected:
    """What the files hold.

    Attributes:
        manifest: the readable rows, each with `content`, `pixels` and `key`.
        broken: what was left out.
        side_px: shorter side of the pictures as they are read, the median.
    """

    manifest: Manifest
    broken: tuple[Broken, ...]
    side_px: int


@contextmanager
def _keep_nothing(new: int, of: int) -> Iterator[Keep]:  # noqa: ARG001  # what a `keep` is told
    yield lambda *_: None


def no_numbers(row: Row, pixels: Pixels) -> Mapping[str, float]:  # noqa: ARG001  # a Measure
    """Measure nothing."""
    return {}


def inspect(  # noqa: PLR0913  # what is read and measured, who hears of it, where it is kept
    manifest: Manifest,
    read: Callable[[Row], Pixels],
    *,
    reader: str,
    progress: Progress,
    columns: Sequence[str] = (),
    measure: Measure = no_numbers,
    keep: Callable[[int, int], AbstractContextManager[Keep]] = _keep_nothing,
    cache: Path | None = None,
) -> Inspected:
    """Read every file once, and name each row by what is in it.

    What is found is remembered by path, size, mtime and reader, and by the cells that it goes by:
    an unchanged file is not opened again.

    Args:
        manifest: the rows.
        read: the task's reader.
        reader: a text that names the reader with its settings, and the measure; another text,
            another memory.
        progress: sees a bar over the files that have to be opened.
        columns: free columns that the reader goes by.
        measure: what it returns of a row becomes free columns, nan where it is silent.
        keep: (rows that have to be opened, all rows) -> what takes their pixels, now that they are
            decoded.
        cache: folder of the memory; unset takes the user's own.

    Raises:
        ManifestError: more than a tenth of the files cannot be read.
    """
    memory = SeenFiles(folder_of("digests", cache), reader)
    found = _Found(len(manifest))
    for part in _parts(np.arange(len(manifest))):
        states = _file_states(manifest, part, columns)
        for number, text in zip(part, memory.recall(states), strict=True):
            found.add(number, None if text is None else Look.parse(text))
    new = np.flatnonzero(found.content == b"")
    if len(new):
        with (
            progress.step("inspect", len(new), "files") as step,
            keep(len(new), len(manifest)) as hand_on,
        ):
            look_at = partial(_look, read, measure, hand_on)
            for part in _parts(new):
                files = _file_states(manifest, part, columns)  # before they are opened
                rows = manifest.all_rows()
                frames = [[rows[number] for number in each] for each in by_frame(rows, part)]
                with closing(side_by_side(look_at, frames)) as looks:
                    each_row = chain.from_iterable(looks)
                    _take_in(zip(part, files, each_row, strict=True), found, memory, step)
    return _sort_out(manifest, found)


class _Found:
    """What was found in each row: digests, b"" where there are none, sides, numbers, reasons."""

    def __init__(self, rows: int) -> None:
        self.content, self.pixels = np.zeros(rows, _DIGEST), np.zeros(rows, _DIGEST)
        self.side_px = np.zeros(rows, np.int64)
        self.numbers: dict[str, NDArray[np.float64]] = {}
        self.reasons: dict[int, str] = {}

    def add(self, number: int, look: Look | str | None) -> None:
        if isinstance(look, Look):
            self.content[number], self.pixels[number] = look.content, look.pixels
            self.side_px[number] = look.side_px
            for name, value in look.numbers.items():
                if name not in self.numbers:
                    self.numbers[name] = np.full(len(self.content), np.nan)
                self.numbers[name][number] = value
        elif look is not None:
            self.reasons[number] = look


def _parts(numbers: NDArray[np.int64]) -> Iterator[list[int]]:
    return (numbers[i : i + _AT_ONCE].tolist() for i in range(0, len(numbers), _AT_ONCE))


def _take_in(
    looks: Iterable[tuple[int, FileState, Look | str]],
    found: _Found,
    memory: SeenFiles,
    step: Step,
) -> None:
    seen = []
    try:
        for number, file, look in looks:
            found.add(number, look)
            if isinstance(look, Look):
                seen.append((file, str(look)))
            step.advance()
    finally:  # what was seen before an interrupt counts as well
        memory.remember(seen)


def _look(
    read: Callable[[Row], Pixels], measure: Measure, keep: Keep, rows: Sequence[Row]
) -> list[Look | str]:
    """Return what is found in each of the rows that lie in one frame, or why it cannot be read."""
    try:
        content = _content(rows[0].source())
    except (ImageError, OSError) as error:
        return [_reason(row, error) for row in rows]
    return [_look_at(row, content, read, measure, keep) for row in rows]


def _look_at(
    row: Row, content: str, read: Callable[[Row], Pixels], measure: Measure, keep: Keep
) -> Look | str:
    try:
        pixels = read(row)
    except (ImageError, OSError) as error:
        return _reason(row, error)
    digest = pixels_digest(pixels)
    keep(digest, pixels)
    return Look(content, digest, min(pixels.shape[:2]), measure(row, pixels))


def _reason(row: Row, error: ImageError | OSError) -> str:
    if not isinstance(error, ImageError):
        return f"cannot be read: {error.strerror or error}"
    reason = str(error).removeprefix(f"{str(row.path)!r} ")  # the row is named beside it
    return f"{row.part}: {reason}" if row.part else reason


def _content(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return _short_hash(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, _short_hash).hexdigest()


def pixels_digest(pixels: Pixels) -> str:
    """Return 16 hex digits naming decoded pixels with their shape and depth."""
    digest = _short_hash(f"{pixels.dtype} {pixels.shape} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _file_states(manifest: Manifest, numbers: list[int], columns: Sequence[str]) -> list[FileState]:
    root = manifest.root.absolute()
    images = manifest.rows["image"].iloc[numbers].tolist()
    states = {image: FileState.of(root / image) for image in dict.fromkeys(images)}
    rows = (manifest.row(number) for number in numbers)
    return [
        states[image]._replace(part=_what_is_read(row, columns))
        for image, row in zip(images, rows, strict=True)
    ]


def _what_is_read(row: Row, columns: Sequence[str]) -> str:
    """Return the part of the file that is read, and what else of the row the reader goes by."""
    cells = [f"{name} {row.columns[name]}" for name in columns if name in row.columns]
    return " ".join([row.part, *cells]) if cells else row.part


def _short_hash(data: bytes = b"") -> hashlib.blake2b:
    # 64 bits: that two of a million files agree by chance happens once in 30 million data sets.
    return hashlib.blake2b(data, digest_size=8)


def _sort_out(manifest: Manifest, found: _Found) -> Inspected:
    images = manifest.rows["image"]
    broken = tuple(Broken(images[number], why) for number, why in sorted(found.reasons.items()))
    if len(broken) > _MOST_BROKEN * len(manifest):
        reasons = "\n  ".join(f"{image!r}: {reason}" for image, reason in broken[:_SHOWN])
        raise ManifestError(
            f"{len(broken)} of {len(manifest)} pictures of {str(manifest.root)!r} cannot be read, "
            f"more than {_MOST_BROKEN:.0%}; mend or remove them:\n  {reasons}"
        )
    good = found.content != b""
    kept = manifest.keep(good).with_columns(
        content=found.content[good].astype(str),
        pixels=found.pixels[good].astype(str),
        **{name: values[good] for name, values in found.numbers.items()},
    )
    side_px = int(np.median(found.side_px[good]))
    return Inspected(kept.with_columns(key=_keys(kept)), broken, side_px)


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
