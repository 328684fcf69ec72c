"""Files that a command writes, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.errors import OutputError


@contextmanager
def whole_file(out: Path) -> Iterator[Path]:
    """Give a name beside `out` to write to, which becomes `out` once all is written.

    Raises:
        OutputError: the place cannot be written to.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        yield part
        part.replace(out)
    except OSError as error:
        with suppress(OSError):  # where its folder is none, either
            part.unlink()
        raise OutputError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
