"""KITTI: a text file for each frame, label_2/000000.txt beside image_2/000000.png.

Geiger et al. 2012, Are we ready for Autonomous Driving?, doi:10.1109/CVPR.2012.6248074; the fields
are those of the readme of its object development kit.
"""

from collections.abc import Sequence

from transfer.errors import ManifestError
from transfer.samples.layouts.objects import Annotations, Files, Object, make_box, read_lines

_FIELDS = (15, 16)  # the last is the score of a detection
_IGNORED = "DontCare"


def find_kitti(files: Files) -> list[str]:
    """Return the text files in folders called label_2."""
    return [
        name
        for name in files.names
        if name.endswith(".txt") and f"/{name}".rpartition("/")[0].endswith("/label_2")
    ]


def read_kitti(files: Files, found: Sequence[str]) -> Annotations:
    """Return what the label files say; regions of DontCare are no objects, and are counted.

    Its folders give no split: only those of training have labels.
    """
    said, ignored = Annotations("KITTI"), 0
    for name in found:
        try:
            image = said.add_frame(_frame(files, name), "")
            lines = read_lines(files.root / name)
        except ManifestError as error:
            said.mistakes.append(f"{name!r}: {error}")
            continue
        for number, line in enumerate(lines, 1):
            if line.startswith(f"{_IGNORED} "):
                ignored += 1
            elif line.strip():
                try:
                    said.objects.append(_object(image, line.split()))
                except ManifestError as error:
                    said.mistakes.append(f"{name!r}, line {number}: {error}")
    if ignored:
        said.notes.append(f"left out {ignored:,} region(s) of {_IGNORED}")
    return said


def _frame(files: Files, name: str) -> str:
    folder, _, file = name.removesuffix(".txt").rpartition("/")
    stem = f"{folder.removesuffix('label_2')}image_2/{file}"
    image = files.picture([stem])
    if image is None:
        raise ManifestError(f"no picture {stem!r} with any suffix")
    return image


def _object(image: str, fields: Sequence[str]) -> Object:
    if len(fields) not in _FIELDS:
        raise ManifestError(f"{len(fields)} fields, not {_FIELDS[0]}")
    columns = {"truncated": fields[1], "occluded": fields[2]}
    return Object(image, fields[0], make_box(fields[4:8]), columns)
