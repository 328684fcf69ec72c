"""A run leaves as files: each is written, read back by its runtime, and held against the run."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from transfer.errors import ExportError
from transfer.exporting.card import NAME, card_of
from transfer.exporting.eight_bits import Exam, rows_for_eight_bits, write_eight_bits
from transfer.exporting.evidence import Evidence, evidence_of, rows_in_splits
from transfer.exporting.formats import FORMATS, import_runtime
from transfer.exporting.portable import Portable, Says
from transfer.plugin.discovery import load_task
from transfer.progress import Progress
from transfer.samples.manifest import Row
from transfer.samples.new_folder import new_folder
from transfer.shipping.predictor import Predictor
from transfer.tracking.runs import find_run, model_folder
from transfer.tracking.store import Store
from transfer.tracking.tracker import HEADLINE_TAG

TOLERANCE = 1e-4
"""The most that an exported model may say otherwise, of a probability."""

_TIMED = (1, 32)  # pictures at once
_SECONDS, _FEWEST = 1.0, 5  # of timing, and calls
_INT8 = " int8"  # behind the name of a format


@dataclass(frozen=True)
class Order:
    """What a person wants.

    Attributes:
        run: its name, id or the like.
        formats: names in `FORMATS`.
        out: folder to make; None is called after the run.
        int8: also in 8 bits, where the format can.
        int8_drop: the most that the headline on val may fall by that.
        data: where the rows are now; None looks where the run read them.
    """

    run: str
    formats: tuple[str, ...]
    out: Path | None = None
    int8: bool = False
    int8_drop: float = 0.01
    data: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what nobody can write.

        Raises:
            ExportError: an unknown format, or 8 bits of formats that have none.
            MissingPackageError: a format needs a package that is not installed.
        """
        if unknown := [name for name in self.formats if name not in FORMATS]:
            raise ExportError(f"--to {unknown[0]!r}: a run leaves as {', '.join(FORMATS)}")
        if self.int8 and not any(FORMATS[name].from_onnx for name in self.formats):
            able = [name for name, each in FORMATS.items() if each.from_onnx]
            raise ExportError(f"--int8: only {' and '.join(able)} have whole numbers of 8 bits")
        for name in self.formats:
            for module in FORMATS[name].needs:
                import_runtime(module)


@dataclass(frozen=True)
class Exported:
    """One file that stands the test.

    Attributes:
        format: its name.
        file: name of the file in the folder.
        megabytes: of all its files.
        difference: the most that it says otherwise than the run, of a probability.
        drop: of the headline on val, where it is of 8 bits; else None.
        milliseconds: of one call, by how many pictures it is given.
    """

    format: str
    file: str
    megabytes: float
    difference: float
    drop: float | None
    milliseconds: dict[int, float]


@dataclass(frozen=True)
class Export:
    """All that was exported, where to, and what it was held against."""

    folder: Path
    files: tuple[Exported, ...]
    tried_on: str
    headline: str


def export(order: Order, store: Store, progress: Progress) -> Export:
    """Write what is ordered into a new folder; where one file fails its test, there is none.

    Raises:
        ExportError: a file says something else than the run, or a format cannot hold it.
        OutputError: the folder is not empty, or cannot be written to.
        TransferError: the run or its model cannot be read.
    """
    run = find_run(store, order.run)
    portable = Portable(Predictor.from_folder(model_folder(store, run)))
    task, recipe = load_task(run.experiment), portable.predictor.recipe
    manifest = rows_in_splits(store, run, order.data, progress)
    evidence = evidence_of(manifest, task, recipe, progress)
    headline = run.tags.get(HEADLINE_TAG, "")
    card, files = card_of(portable, run), list[Exported]()
    out = order.out or Path(f"{run.name.replace('/', '-')}-exported")
    with new_folder(out) as folder:
        for name in order.formats:
            progress.say(f"writing    {name}")
            path = folder / FORMATS[name].file
            FORMATS[name].write(portable, path)
            files.append(_held_against_run(name, path, portable, evidence))
        if order.int8:
            train, val = rows_for_eight_bits(manifest)
            exam = Exam(portable.predictor, task, val, headline, progress)
            files += _of_eight_bits(order, portable, exam, train, evidence, folder)
        for each in files:
            card["files"][each.file] = {
                "largest_difference": each.difference,
                "normalizes": FORMATS[each.format.removesuffix(_INT8)].normalizes,
            }
        (folder / NAME).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return Export(out, tuple(files), evidence.what, headline)


def _held_against_run(name: str, path: Path, portable: Portable, evidence: Evidence) -> Exported:
    """Return what is written at `path`, once it says what the run says.

    Raises:
        ExportError: it says something else.
    """
    says = FORMATS[name].read(path, portable)
    difference = _difference(says, portable, evidence)
    if not difference <= TOLERANCE:  # nan neither
        raise ExportError(
            f"{name}: the file says up to {difference:.2g} otherwise than the run on "
            f"{evidence.what}, over {TOLERANCE:g}; nothing was kept. Another format may do"
        )
    return _measured(name, path, says, evidence, difference)


def _of_eight_bits(
    order: Order,
    portable: Portable,
    exam: Exam,
    train: Sequence[Row],
    evidence: Evidence,
    folder: Path,
) -> Iterator[Exported]:
    """Yield each format that can be of 8 bits, judged on val.

    Raises:
        ExportError: the headline falls by more than was allowed.
    """
    before = exam.score(portable.says, "the run")
    with TemporaryDirectory() as place:
        source = Path(place, "model.onnx")
        exam.progress.say("writing    8 bits")
        write_eight_bits(portable, exam.task, train, source)
        for name in order.formats:
            if (convert := FORMATS[name].from_onnx) is None:
                continue
            file = Path(FORMATS[name].file)
            path = folder / f"{file.stem}.int8{file.suffix}"
            convert(source, path)
            says = FORMATS[name].read(path, portable)
            drop = before - exam.score(says, f"{name} of 8 bits")
            if not drop <= order.int8_drop:
                raise ExportError(
                    f"{name} of 8 bits loses {drop:.4f} of {exam.headline} on val, over the "
                    f"{order.int8_drop:g} of --int8-drop; nothing was kept. Leave --int8 out, or "
                    "allow more"
                )
            difference = _difference(says, portable, evidence)
            found = _measured(name + _INT8, path, says, evidence, difference)
            yield replace(found, drop=drop)


def _difference(says: Says, portable: Portable, evidence: Evidence) -> float:
    """Return the most that `says` differs from the run, over one picture alone and the rest.

    Embeddings, which have no scale of their own, count as parts of their largest value.
    """
    worst = 0.0
    for pixels in (evidence.pixels[:1], evidence.pixels[1:]):  # any number of pictures
        for found, own in zip(says(pixels), portable.says(pixels), strict=True):
            scale = max(1.0, float(np.abs(own).max()))
            worst = max(worst, float(np.abs(found - own).max()) / scale)
    return worst


def _measured(name: str, path: Path, says: Says, evidence: Evidence, difference: float) -> Exported:
    size = sum(file.stat().st_size for file in _files_of(path))
    milliseconds = {count: _milliseconds(says, evidence, count) for count in _TIMED}
    return Exported(name, path.name, size / 1e6, difference, None, milliseconds)


def _milliseconds(says: Says, evidence: Evidence, count: int) -> float:
    """Return the median time of a call with so many pictures."""
    pixels = np.resize(evidence.pixels, (count, *evidence.pixels.shape[1:]))
    says(pixels)  # the first call prepares memory
    spent: list[float] = []
    while len(spent) < _FEWEST or sum(spent) < _SECONDS:
        before = time.perf_counter()
        says(pixels)
        spent.append(time.perf_counter() - before)
    return 1000 * median(spent)


def _files_of(path: Path) -> list[Path]:
    """Return a model's file, and the one that OpenVINO puts the weights into."""
    return [path, path.with_suffix(".bin")] if path.suffix == ".xml" else [path]
