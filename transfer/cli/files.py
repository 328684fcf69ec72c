"""Files that a command writes, whole or not at all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from transfer.cli.console import OUT
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


def write_text(text: str, out: Path) -> None:
    """Write a text, and say where.

    Raises:
        OutputError: the place cannot be written to.
    """
    with whole_file(out) as part:
        part.write_text(text, encoding="utf-8")
    OUT.print(f"wrote      {out}")


def write_json(numbers: object, out: Path | None) -> None:
    """Write numbers as JSON, if that was asked for, and say where.

    Raises:
        OutputError: the place cannot be written to.
    """
    if out is not None:
        write_text(json.dumps(numbers, indent=1), out)


def check_suffix(out: Path | None, suffix: str) -> None:
    """Refuse a file that would be called something else than it is, before anything is done.

    Raises:
        OutputError: it has another suffix.
    """
    if out is not None and out.suffix != suffix:
        raise OutputError(f"{str(out)!r}: this file is written as {suffix}")
