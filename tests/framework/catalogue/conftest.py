"""A server on this machine that sends one file, well or badly, and cards that point to it."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from transfer.catalogue import download
from transfer.catalogue.card import Card


class Served:
    """What the server sends, and how well; it remembers what was asked.

    Attributes:
        pictures: that a small archive holds, by their names.
        content: of the file.
        etag: None sends none.
        ranges: it knows of Range.
        cuts: after how many bytes of each further answer the line is cut; None is a whole answer.
        statuses: of each further answer, instead of the file.
        silent: it answers nothing until the end of the test.
        encoding: that it says the file has.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        names = [f"set/{label}/{number}.png" for label in "ab" for number in (1, 2)]
        self.pictures = {name: name.encode() * 90 for name in names}
        self.content, self.etag, self.ranges = b"", '"one"', True
        self.cuts: list[int | None] = []
        self.statuses: list[int] = []
        self.silent, self.encoding = False, ""
        self.over = threading.Event()
        self.asked: list[dict[str, str]] = []

    def starts(self) -> list[str]:
        """Return the ranges that were asked for, "" where none was."""
        return [headers.get("Range", "") for headers in self.asked]


def _answer(request: BaseHTTPRequestHandler, served: Served) -> None:
    served.asked.append(dict(request.headers))
    if served.silent:
        served.over.wait()
        return
    if served.statuses:
        request.send_error(served.statuses.pop(0))
        return
    size, start = len(served.content), 0
    asked = request.headers.get("Range")
    known = request.headers.get("If-Range") in {None, served.etag}
    if asked and served.ranges and known:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= size:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{size}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
    else:
        request.send_response(200)
    if served.etag:
        request.send_header("ETag", served.etag)
    if served.encoding:
        request.send_header("Content-Encoding", served.encoding)
    request.send_header("Content-Length", str(size - start))
    request.end_headers()
    end = served.cuts.pop(0) if served.cuts else None
    request.wfile.write(served.content[start:] if end is None else served.content[start:end])


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server without content yet; whoever downloads waits for nothing between two tries."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, served)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}/set.zip")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(download, "_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield served
    served.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.fixture
def card(served: Served) -> Callable[..., Card]:
    """A card of what is served, with its checksum, unless told otherwise."""
    served.content = zipped(served.pictures)

    def build(*, file: dict[str, Any] | None = None, **changes: object) -> Card:
        digest = hashlib.sha256(served.content).hexdigest()
        files = [
            {"name": "set.zip", "url": served.url, "megabytes": 0.1, "sha256": digest,
             "stated_by": "its publishers", **(file or {})}
        ]  # fmt: skip
        facts: dict[str, object] = {
            "name": "small", "task": "labelled_images", "title": "A small set",
            "page": "https://example.org/small", "files": files, "licence": "CC0", "pictures": 4,
            "classes": 2, "layout": "class folders", "data": "set", "split": "rows are drawn",
            "citation": "Nobody 2020",
        }  # fmt: skip
        return Card.model_validate({**facts, **changes})

    return build
