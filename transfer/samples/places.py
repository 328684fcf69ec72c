"""Where on earth files lie, remembered: an unchanged file is not opened again."""

import json
from collections.abc import Sequence
from pathlib import Path

from transfer.cache.code import code_digest
from transfer.cache.folder import folder_of
from transfer.images.pictures import decoders
from transfer.images.places import Place, locate
from transfer.samples.seen_files import FileState, SeenFiles

_NOWHERE = "null"


def locate_files(paths: Sequence[Path], cache: Path | None = None) -> list[Place | None]:
    """Return where each file lies; None where it does not say, or cannot be read.

    Args:
        paths: GeoTIFFs.
        cache: folder of the memory; unset takes the user's own.

    Raises:
        MissingPackageError: rasterio is not installed.
    """
    memory = SeenFiles(
        folder_of("digests", cache), f"place {decoders()} {code_digest(locate, locate_files)}"
    )
    states = [FileState.of(path) for path in paths]
    known = memory.recall(states)
    new = [number for number, text in enumerate(known) if text is None]
    for number, place in zip(new, locate(paths[number] for number in new), strict=True):
        known[number] = _NOWHERE if place is None else json.dumps(place)
    memory.remember((states[number], known[number] or _NOWHERE) for number in new)
    return [_parse(text or _NOWHERE) for text in known]


def _parse(text: str) -> Place | None:
    if text == _NOWHERE:
        return None
    crs, x, y, lon, lat, (width, height) = json.loads(text)
    return Place(crs, x, y, lon, lat, (width, height))
