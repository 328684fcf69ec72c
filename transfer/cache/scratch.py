"""Large arrays that need not stay in memory: the system may move them to disk, and back."""

import tempfile

import numpy as np
from numpy.typing import NDArray

from transfer.cache.block import reserve
from transfer.cache.folder import cache_folder, make_private

_MOST_BYTES = 2**28  # as much stays in memory without a word


def scratch(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an array to be filled, float32; a large one is mapped from a file without a name.

    The file is in the user's cache folder, as the folder for temporary files may itself be memory,
    and is gone with the array, however the process ends. Where there is no room for it, the array
    is in memory.
    """
    size = int(np.prod(shape)) * np.dtype(np.float32).itemsize
    if size <= _MOST_BYTES:
        return np.empty(shape, np.float32)
    try:
        make_private(cache_folder())
        with tempfile.TemporaryFile(dir=cache_folder()) as file:
            reserve(file, size)
            file.flush()
            return np.asarray(np.memmap(file, np.float32, "r+", shape=shape))
    except OSError:
        return np.empty(shape, np.float32)
