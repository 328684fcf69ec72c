"""What must not be divided between splits: a drive, else a track, else a frame."""

import re
from collections.abc import Sequence

from tasks.driving_objects.settings import Settings

# Folders that layouts make, and which therefore name no drive.
_OF_LAYOUTS = re.compile(
    r"(image_?\d*|images?|imgs?|frames?|jpegimages|pictures|data|vocdevkit|voc\d{4}|kitti|object"
    r"|(train|training|val|valid|validation|calibration|test|testing)[-_]?\d*)$"
)
COLUMNS = ("drive", "track", "frame")
"""Of tables, the widest first."""


def drives(images: Sequence[str], labels: Sequence[str], *, pattern: str) -> list[str]:
    """Return the drive of each picture, "" where it is not known.

    Without a pattern it is the folder above, of those that are part of no layout and, of pictures
    in class folders, below that of the class. Where all come from one folder it tells nothing.

    Args:
        images: POSIX paths.
        labels: class of each; "" where the picture is a frame of many objects.
        pattern: regular expression; its groups, or what it matches, are the drive.
    """
    if pattern:
        return [_found(pattern, image) for image in images]
    found = [_folder(image, label) for image, label in zip(images, labels, strict=True)]
    return found if len({*found} - {""}) > 1 else [""] * len(found)


def tracks(images: Sequence[str], settings: Settings) -> list[str]:
    """Return the track of each picture of one object, "" where it is not known."""
    if not settings.track:
        return [""] * len(images)
    return [_found(settings.track, image) for image in images]


def _found(pattern: str, image: str) -> str:
    match = re.search(pattern, image)
    if match is None:
        return ""
    return "/".join(group or "" for group in match.groups()) or match[0]


def _folder(image: str, label: str) -> str:
    """Return the path down to the innermost folder that may be a drive."""
    parts = image.split("/")[:-1]
    first = 0
    if label:
        first = parts.index(label) + 1 if label in parts else len(parts)
    last = len(parts)
    while last > first and _OF_LAYOUTS.match(parts[last - 1].lower()):
        last -= 1
    return "/".join(parts[:last]) if last > first else ""
