"""A web server on the loopback interface that stands for several hosts, with a log of requests and faults on demand.

It answers two kinds of clients: those that ask `http://127.0.0.1:PORT`, and those that use it as their proxy and ask any
of its hosts by their real https addresses. So commands run against stand-ins of public services without a word of theirs
being changed: `LoopbackServer.environment` has the variables that requests and GDAL's curl read.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.loopback_answers import Answer, Asked, cut_range, read_range
from tests.support.loopback_certificates import make_certificates, open_context


@dataclass
class Fault:
    """What is done to the next requests instead of an answer.

    Attributes:
        where: Regular expression, searched in host and path.
        times: How often; -1 is always.
        status: Sent instead of the answer; 0 sends nothing and closes the connection.
        headers: Sent with the status.
        share: Share of the content that is sent before the connection is closed; with this, status is that of the answer.
        silent: The request is never answered.
    """

    where: str
    times: int = 1
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    share: float | None = None
    silent: bool = False


Route = Callable[[Asked], Answer]


class LoopbackServer:
    """Serves the routes of hosts; the empty host is the server's own.

    Attributes:
        routes: Function that answers, by host.
        log: Every request, in the order of arrival.
        faults: Faults; the first one that fits is used.
        slow: Seconds by which answers are held back, by regular expression of host and path.
        url: The server's own address.
    """

    def __init__(self, routes: Mapping[str, Route], folder: Path) -> None:
        self.routes = dict(routes)
        self.log: list[Asked] = []
        self.faults: list[Fault] = []
        self.slow: dict[str, float] = {}
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._authority, certificate = make_certificates(folder, [h for h in routes if h])
        self.context = open_context(certificate)
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a command reaches all hosts here."""
        rest = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        proxies = {"https_proxy": self.url, "HTTPS_PROXY": self.url, "no_proxy": "127.0.0.1"}
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "GDAL_CURL_CA_BUNDLE")
        return {**rest, **proxies, **dict.fromkeys(names, str(self._authority))}

    def count(self, where: str, method: str = "") -> int:
        """Count the requests whose host and path fit a regular expression."""
        return len(self.find(where, method))

    def find(self, where: str, method: str = "") -> list[Asked]:
        """Return the requests whose host and path fit a regular expression."""
        with self._lock:
            return [
                one
                for one in self.log
                if re.search(where, one.address) and method in ("", one.method)
            ]

    def wait_for(self, where: str, count: int, seconds: float = 60) -> None:
        """Wait until there were as many requests; raise TimeoutError after a while."""
        end = time.monotonic() + seconds
        while self.count(where) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{self.count(where)} of {count} requests of {where} came")
            time.sleep(0.01)

    def take(self, asked: Asked) -> Fault | None:
        """Log a request; return the fault that it meets."""
        with self._lock:
            self.log.append(asked)
            for fault in self.faults:
                if fault.times and re.search(fault.where, asked.address):
                    fault.times -= 1
                    return fault
        return None

    def calm(self) -> None:
        """Forget log, faults and delays."""
        with self._lock:
            self.log.clear()
            self.faults.clear()
            self.slow.clear()

    def stop(self) -> None:
        """Close the server."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, owner: LoopbackServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.owner = owner
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: clients are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    host = ""

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def do_CONNECT(self) -> None:
        """Stand for the host that the client wants to reach through this proxy."""
        host = self.path.partition(":")[0]
        if host not in self.server.owner.routes:
            self.send_error(502, f"{host} is not reachable from here")
            return
        self.send_response(200)
        self.end_headers()
        self.host = host
        self.connection = self.server.owner.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        first, last = read_range(self.headers.get("Range"))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        asked = Asked(
            method=self.command,
            host=self.host,
            path=unquote(url.path),
            query=query,
            headers={key.lower(): value for key, value in self.headers.items()},
            body=body,
            first=first,
            last=last,
            time_s=time.monotonic(),
        )
        owner = self.server.owner
        fault = owner.take(asked)
        for where, seconds in list(owner.slow.items()):
            if re.search(where, asked.address):
                owner.stopped.wait(seconds)
        if fault and fault.silent:
            owner.stopped.wait()
        if fault and fault.share is None:
            self._fail(fault)
        else:
            self._send(asked, owner.routes[self.host](asked), fault)

    do_POST = do_HEAD = do_GET  # noqa: N815

    def _fail(self, fault: Fault) -> None:
        if not fault.status or fault.silent:
            self.close_connection = True
            return
        self.send_response(fault.status)
        for key, value in fault.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, asked: Asked, answer: Answer, fault: Fault | None) -> None:
        status, content = answer.status, answer.content
        if answer.ranges and asked.first is not None:
            status, content = cut_range(content, asked, answer.headers)
        self.send_response(status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if asked.method == "HEAD":
            return
        if fault and fault.share is not None:
            content = content[: int(len(content) * fault.share)]
            self.close_connection = True
        self.wfile.write(content)
