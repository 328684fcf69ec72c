"""One file over HTTP: resumed where a line was cut, whole or not there."""

import errno
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from transfer.errors import FetchError
from transfer.progress import Progress, Step

_CHUNK = 1 << 16  # the last of a line that is cut is lost
_MEGABYTE = 10**6
_WAITS = (1.0, 4.0, 16.0)
"""Seconds before each further try after one that brought nothing."""
_SILENCE = (10.0, 60.0)
"""Seconds that a server may take to answer, and be silent while it sends."""
_WHOLE, _PART, _BEYOND = 200, 206, 416
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})  # a server says so of a passing trouble
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


def download(url: str, file: Path, progress: Progress) -> None:
    """Write what is at `url` to `file`, which appears once all is there.

    What has come lies in `file` + ".part" until then, and the ETag or the date of what is being
    sent beside it: a later call goes on from there, or starts anew where that has changed.

    Raises:
        FetchError: the server refuses, keeps failing or is silent; or the disk is full.
    """
    part = _Part(file)
    tries = iter(_WAITS)
    while True:
        before = part.size()
        try:
            _receive(url, part, progress)
            break
        except _PassingError as error:
            if part.size() > before:
                tries = iter(_WAITS)  # a line that is cut every minute still brings a large file
            wait = next(tries, None)
            if wait is None:
                raise FetchError(
                    f"{url}: {error}; tried {len(_WAITS) + 1} times. What has come is kept, and "
                    "the same command goes on from there"
                ) from error
            progress.warn(f"{error}; trying again in {wait:.0f} s")
            time.sleep(wait)
    part.publish()


class _PassingError(Exception):
    """What another try may end better than."""


class _Part:
    """A file that is not whole yet, and what says of which file it is a part."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.path = file.with_name(f"{file.name}.part")
        self._about = file.with_name(f"{file.name}.part.etag")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def validator(self) -> str:
        """Return what the whole is known by; without it no part can be continued."""
        return self._about.read_text("utf-8") if self.size() and self._about.exists() else ""

    def restart(self, validator: str) -> None:
        self.path.unlink(missing_ok=True)
        self._about.write_text(validator, "utf-8")

    def publish(self) -> None:
        self.path.replace(self._file)
        self._about.unlink(missing_ok=True)


def _receive(url: str, part: _Part, progress: Progress) -> None:
    """Ask for what is missing and append it.

    Raises:
        FetchError: the server refuses, or the disk is full.
        _PassingError: another try may end better.
    """
    headers = {"Accept-Encoding": "identity"}  # lengths and ranges of the file itself
    known = part.validator()
    if known:
        headers |= {"Range": f"bytes={part.size()}-", "If-Range": known}
    with _answer(url, headers) as answer:
        total = _start(answer, part, known)
        if total is not None and total == part.size():
            return
        missing = max(0, (total or 0) - part.size()) // _MEGABYTE
        with progress.step(part.path.stem, missing, "MB") as step, _full_disk(part.path):
            _append(answer, part, step)
    if total is not None and part.size() != total:
        raise _PassingError(f"the line was cut at {part.size():,} of {total:,} bytes")


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[requests.Response]:
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_SILENCE) as answer:
            _refuse(url, answer)
            yield answer
    except (requests.exceptions.MissingSchema, requests.exceptions.InvalidURL) as error:
        raise FetchError(f"{url} is no address: {error}") from error
    except requests.Timeout as error:
        raise _PassingError(f"the server is silent: {_reason(error)}") from error
    except requests.RequestException as error:
        raise _PassingError(f"the line is broken: {_reason(error)}") from error


def _refuse(url: str, answer: requests.Response) -> None:
    if url.startswith("https:") and not answer.url.startswith("https:"):
        raise FetchError(f"{url} leads to {answer.url}, which anybody on the way may change")
    if answer.status_code in _AGAIN:
        raise _PassingError(f"the server says {answer.status_code} {answer.reason}")
    if answer.status_code not in {_WHOLE, _PART, _BEYOND}:
        raise FetchError(f"{url}: the server says {answer.status_code} {answer.reason}")


def _start(answer: requests.Response, part: _Part, known: str) -> int | None:
    """Make the part ready for what comes; return the size of the whole, None if it is not said.

    Raises:
        _PassingError: what comes does not continue the part, which is given up.
    """
    says = _validator(answer)
    if answer.status_code == _WHOLE:
        part.restart(says)
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    if answer.status_code == _BEYOND:
        if answer.headers.get("Content-Range") == f"bytes */{part.size()}":
            return part.size()  # all had come, and only its name was missing
        part.restart("")
        raise _PassingError("the file there is shorter now")
    found = _RANGE.match(answer.headers.get("Content-Range", ""))
    if found is None or int(found[1]) != part.size() or says not in {known, ""}:
        part.restart("")
        raise _PassingError("the file there has changed")
    return None if found[2] == "*" else int(found[2])


def _validator(answer: requests.Response) -> str:
    """Return what If-Range takes: a strong ETag, else a date, else nothing."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _append(answer: requests.Response, part: _Part, step: Step) -> None:
    # Some servers call a .tgz gzip-encoded; it is not to be unpacked on the way.
    answer.raw.headers.pop("Content-Encoding", None)
    done = 0
    with part.path.open("ab") as file:
        for chunk in answer.iter_content(_CHUNK):
            file.write(chunk)
            step.advance((done + len(chunk)) // _MEGABYTE - done // _MEGABYTE)
            done += len(chunk)


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, requests.RequestException) or error.errno is None:
            raise
        full = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise FetchError(
            f"cannot write {str(path)!r}: {full}. What has come is kept, and the same command "
            "goes on from there"
        ) from error


def _reason(error: Exception) -> str:
    """Return the innermost cause of an error: requests and urllib3 wrap it several times."""
    while (inner := error.__cause__ or error.__context__) and isinstance(inner, Exception):
        error = inner
    return str(error) or type(error).__name__
