"""Encoded pictures in the rows of a Parquet file."""

import os
import threading
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from transfer.errors import ImageError

_KEPT = 2  # row groups: threads that read row by row meet at the border of two
_LOCK = threading.Lock()  # threads that come together must not read the same group side by side

if hasattr(
    os, "register_at_fork"
):  # a loader process must not inherit the lock from another thread
    os.register_at_fork(
        before=_LOCK.acquire, after_in_parent=_LOCK.release, after_in_child=_LOCK.release
    )


def picture_column(schema: Any) -> str | None:
    """Return the column of a pyarrow schema that holds encoded pictures, None where there is none.

    It is called image, or is the only one that holds bytes, or structs with a field `bytes` as the
    datasets library writes them.
    """
    from pyarrow import types  # noqa: PLC0415  # slow, and few data sets are Parquet

    def is_binary(kind: Any) -> bool:
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def holds_bytes(kind: Any) -> bool:
        if not types.is_struct(kind):
            return is_binary(kind)
        return any(part.name == "bytes" and is_binary(part.type) for part in kind)

    found = [str(field.name) for field in schema if holds_bytes(field.type)]
    return "image" if "image" in found else found[0] if len(found) == 1 else None


def read_record(path: Path, number: int) -> bytes:
    """Return the encoded picture in row `number`, counted from 0, of a Parquet file.

    The row group around it is read, and the latest two are kept: that is what it takes of memory,
    in each process that reads.

    Raises:
        ImageError: the file cannot be read, has no such row, or the row holds no bytes.
    """
    try:
        state = path.stat().st_mtime_ns
        with _LOCK:
            column, firsts = _shape(path, state)
            group = sum(first <= number for first in firsts) - 1
            if group >= len(firsts) - 1:
                raise ImageError(
                    f"{str(path)!r} has {firsts[-1]} rows, none of number {number + 1}"
                )
            cells = _read_group(path, state, column, group)
        cell = cells[number - firsts[group]].as_py()
    except (OSError, ValueError) as error:  # what is wrong with the format is a ValueError in Arrow
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{str(path)!r} cannot be read: {error}") from error
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not isinstance(content, bytes):
        raise ImageError(f"{str(path)!r} holds no bytes of a picture in row {number + 1}")
    return content


@lru_cache(maxsize=256)
def _shape(path: Path, state: int) -> tuple[str, tuple[int, ...]]:  # noqa: ARG001  # a changed file is another
    """Return the column of pictures, and the first row of each row group, and of what follows."""
    import pyarrow.parquet  # noqa: PLC0415

    with pyarrow.parquet.ParquetFile(path) as file:
        column = picture_column(file.schema_arrow)
        about = file.metadata
        sizes = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
    if column is None:
        raise ImageError(f"{str(path)!r} has no column of pictures")
    return column, tuple(accumulate(sizes, initial=0))


@lru_cache(maxsize=_KEPT)
def _read_group(path: Path, state: int, column: str, group: int) -> Any:  # noqa: ARG001
    import pyarrow.parquet  # noqa: PLC0415

    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column], use_threads=False).column(0)
