"""A file server on loopback with byte ranges, ETags and faults on demand, for tests of remote assets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

# A number is answered as that HTTP status; "drop" closes the connection without an answer.
Fault = int | str


@dataclass
class AssetServer:
    """What the server serves, and what it was asked.

    Attributes:
        folder: The files.
        address: Such as ``http://127.0.0.1:40001``.
        requests: Method, path with query, and range of each request.
        keys: Path and header ``X-Key`` of each request.
        faults: Answers to the next requests of a path instead of its bytes, each used once.
        etags: Whether answers have an ETag.
        before: Called with the path before each answer.
    """

    folder: Path
    address: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    etags: bool = True
    before: Callable[[str], None] = lambda _: None

    def count(self, path: str, method: str = "GET") -> int:
        """Return how often a path was requested."""
        return sum(m == method and urlsplit(p).path == path for m, p, _ in self.requests)


@contextmanager
def serve_assets(folder: Path) -> Iterator[AssetServer]:
    """Serve a folder until the end."""
    state = AssetServer(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(state))
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _make_handler(state: AssetServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            path = urlsplit(self.path).path
            asked = self.headers.get("Range", "")
            state.requests.append((self.command, self.path, asked))
            state.keys.append((path, self.headers.get("X-Key", "")))
            state.before(path)
            if faults := state.faults.get(path):
                self._fail(faults.pop(0))
                return
            file = state.folder / path.lstrip("/")
            if not file.is_file():
                self._fail(404)
                return
            self._send(file, asked, with_body=with_body)

        def _fail(self, fault: Fault) -> None:
            if fault == "drop":
                self.close_connection = True
                return
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, file: Path, asked: str, *, with_body: bool) -> None:
            size = file.stat().st_size
            start, stop = 0, size
            if asked.startswith("bytes="):
                low, _, high = asked.removeprefix("bytes=").partition("-")
                start, stop = int(low), min(int(high) + 1 if high else size, size)
            if start >= max(stop, 1):
                self._fail(416)
                return
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(stop - start))
            self.send_header("Last-Modified", formatdate(0, usegmt=True))
            if state.etags:
                self.send_header("ETag", f'"{size:x}"')
            self.end_headers()
            if with_body:
                with file.open("rb") as opened, suppress(ConnectionError):  # the reader has enough
                    opened.seek(start)
                    self.wfile.write(opened.read(stop - start))

    return Handler
