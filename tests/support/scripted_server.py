"""A server on loopback that answers as a test says, and writes down what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Request:
    """A request: its method, path with query, headers in lower case, and body."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Reply:
    """An answer; one of no status is a dead connection."""

    content: Any = ""
    status: int | None = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[Request], Reply]


class ScriptedServer:
    """The server.

    Attributes:
        url: Its address.
        requests: All requests so far.
        next: Replies that come before those of the script, one each.
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.next: list[Reply] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close the server."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.next.pop(0) if self.next else self.script(request)

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                headers = {key.lower(): value for key, value in self.headers.items()}
                body = self.rfile.read(size).decode()
                reply = owner._answer(Request(self.command, self.path, headers, body))
                if reply.status is None:
                    self.connection.close()
                    return
                text = (
                    reply.content if isinstance(reply.content, str) else json.dumps(reply.content)
                )
                self.send_response(reply.status)
                for key, value in reply.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = _serve  # noqa: N815 - names of the standard library

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        return Handler


@contextmanager
def scripted(script: Script) -> Iterator[ScriptedServer]:
    """Serve until the end."""
    server = ScriptedServer(script)
    try:
        yield server
    finally:
        server.stop()
