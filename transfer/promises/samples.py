"""What the samples of a task promise, which demos, tests and these checks go by."""

from pathlib import Path

from transfer.errors import OutputError
from transfer.promises.promise import Finding, Promise, broken, kept_unless, moot
from transfer.promises.subject import SAMPLES, Subject

LARGEST_MB = 10
"""Of all samples together, so that a demo of 600 takes no more than a small data set."""
_FEW = 12
_NONE = moot("the task writes no samples")


def samples_repeat(subject: Subject) -> Finding:
    """A few samples are written twice by one seed, and once by another."""
    if subject.task.write_samples is None:
        return _NONE
    with subject.written(_FEW, 3) as first, subject.written(_FEW, 3) as again:
        one, same = _bytes(Path(first)), _bytes(Path(again))
    if one != same:
        differ = sorted(name for name in {*one, *same} if one.get(name) != same.get(name))
        return broken(f"seed 3 gave other bytes the second time: {', '.join(differ[:3])}")
    with subject.written(_FEW, 4) as other:
        alike = {*one.values()} & {*_bytes(Path(other)).values()}
    # A table or a list of names may well be the same.
    return kept_unless("seeds 3 and 4 gave the same files" if len(alike) > len(one) / 2 else "")


def samples_are_small(subject: Subject) -> Finding:
    """The samples are counted, as rows and in bytes."""
    if subject.task.write_samples is None:
        return _NONE
    if not subject.own:
        return moot("other data are looked at")
    rows = len(subject.manifest)
    if rows != SAMPLES:
        return broken(f"asked for {SAMPLES} samples it wrote {rows}")
    files = [path for path in subject.data.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    return kept_unless(f"{SAMPLES} samples take {size:.1f} MB" if size > LARGEST_MB else "")


def samples_spare_files(subject: Subject) -> Finding:
    """They are to be written to a folder that holds a file already."""
    write = subject.task.write_samples
    if write is None:
        return _NONE
    with subject.written(1, 0) as place:
        mine = Path(place) / "samples" / "mine.txt"
        mine.write_text("keep me")
        before = _bytes(Path(place))
        try:
            write(mine.parent, 1, 0)
        except OutputError:
            return kept_unless("" if _bytes(Path(place)) == before else "it changed what was there")
    return broken("it wrote into a folder that was not empty")


def _bytes(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


PROMISES = (
    Promise(
        "samples-repeat",
        "The same seed writes the same samples, and another seed others.",
        "Draw from numpy.random.default_rng((seed, number)) alone, and write files in a fixed "
        "order.",
        samples_repeat,
        ("loads",),
    ),
    Promise(
        "samples-are-small",
        f"It writes as many samples as it is asked for, and {SAMPLES} of them are under "
        f"{LARGEST_MB} MB.",
        "Draw smaller pictures, and let each of `count` become one row of the manifest.",
        samples_are_small,
        ("loads", "reads-twice-alike"),
    ),
    Promise(
        "samples-spare-files",
        "Samples are never written over somebody's files.",
        "Write inside `with transfer.new_folder(folder) as unfinished:`.",
        samples_spare_files,
        ("loads",),
    ),
)
