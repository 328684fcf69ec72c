"""The frame that was read last, kept for the other objects in it: each row is one of them."""

import threading
from pathlib import Path

from transfer.images.pictures import Pixels, read_picture


class _Last(threading.local):
    """What this thread read last: the file as it was then, and its pixels."""

    state: tuple[str, int, int] | None = None
    pixels: Pixels | None = None


_LAST = _Last()


def read_frame(path: Path) -> Pixels:
    """Return a picture as `read_picture` does, not to be written to.

    It is decoded once for all of its objects that a thread reads one after the other; a file that
    has changed in between is decoded anew.

    Raises:
        ImageError, MissingPackageError: see `read_picture`.
    """
    try:
        about = path.stat()
    except OSError:
        return read_picture(path)  # which says why
    state = (str(path), about.st_size, about.st_mtime_ns)
    if _LAST.pixels is None or _LAST.state != state:
        _LAST.pixels = None  # two frames at once are not needed
        pixels = read_picture(path)
        pixels.flags.writeable = False
        _LAST.state, _LAST.pixels = state, pixels
    return _LAST.pixels
