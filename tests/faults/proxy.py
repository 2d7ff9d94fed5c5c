"""A gateway before a tracker that fails as gateways do, mostly after the tracker has done the work."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What happens to the answer of a request; the tracker has always done the work before.
LOST, BAD_GATEWAY, SERVER_ERROR, GARBAGE, EMPTY, REDIRECT, SLOW = FAULTS = (
    *("lost", "502", "500", "garbage", "empty", "redirect", "slow"),
)
SLOW_S = 4.0
HOP = {"connection", "transfer-encoding", "content-length", "host", "keep-alive"}
Choose = Callable[[str, str, int], str | None]  # method, path, its number of requests so far


class Gateway:
    """A running gateway.

    Attributes:
        address: Its URL on loopback.
        choose: Names the fault of a request, or None.
        requests: Number of requests by the last word of their path.
        faults: Number of faults by kind.
    """

    def __init__(self, address: str, choose: Choose) -> None:
        self.address, self.choose = address, choose
        self.requests: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()


def fail_creates(kind: str, times: int = 1) -> Choose:
    """Return a choice: the first answers to each kind of create fail."""

    def choose(method: str, path: str, count: int) -> str | None:
        creates = path.endswith(("/create", "/logged-models")) and method == "POST"
        return kind if creates and count < times else None

    return choose


def fail_each(kind: str, every: int) -> Choose:
    """Return a choice: every n-th request of each path that writes fails."""

    def choose(method: str, path: str, count: int) -> str | None:
        writes = method != "GET" and "search" not in path and "artifacts" not in path
        return kind if writes and count % every == 0 else None

    return choose


@contextmanager
def open_gateway(server: str, choose: Choose) -> Iterator[Gateway]:
    """Run a gateway before a server on a free port of loopback."""
    target = urlsplit(server)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            with lock:
                count = gateway.requests[path]
                gateway.requests[path] += 1
                kind = gateway.choose(self.command, path, count)
                gateway.faults[kind or "none"] += 1
            inner = http.client.HTTPConnection(str(target.hostname), target.port, timeout=60)
            headers = {name: text for name, text in self.headers.items() if name.lower() not in HOP}
            inner.request(self.command, self.path, body, headers)
            answer = inner.getresponse()
            content = answer.read()
            inner.close()
            self.reply(kind, answer.status, content, answer.headers.get("Content-Type", ""))

        def reply(self, kind: str | None, status: int, content: bytes, content_type: str) -> None:
            if kind == LOST:
                self.close_connection = True
                return
            if kind == SLOW:
                time.sleep(SLOW_S)
            elif kind in (BAD_GATEWAY, SERVER_ERROR):
                status, content, content_type = int(kind), b"<h1>Bad gateway</h1>", "text/html"
            elif kind == GARBAGE:
                status, content, content_type = 200, b"<h1>Sign in</h1>", "text/html"
            elif kind == EMPTY:
                status, content, content_type = 200, b"{}", "application/json"
            elif kind == REDIRECT:
                status, content = 302, b""
            try:
                self.send_response(status)
                if kind == REDIRECT:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)
            except OSError:  # the client has given up waiting
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815

        def log_message(self, *words: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as outer:
        gateway = Gateway(f"http://127.0.0.1:{outer.server_port}", choose)
        threading.Thread(target=outer.serve_forever, daemon=True).start()
        yield gateway
        outer.shutdown()
