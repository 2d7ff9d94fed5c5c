"""A hub on the loopback interface: the part of the Hugging Face API that a fetch uses, with faults on request.

Two servers, as in reality: one lists the data set and redirects a download; the other sends the bytes. By hand:

    python -m tests.support.loopback_hub FOLDER    # serves a twin's tiles; prints the HF_ENDPOINT to use
"""

import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

REPO = "paulhoehn/Sen12Landslides"
COMMIT = "0123456789abcdef0123456789abcdef01234567"

Member = tuple[str, bytes] | tarfile.TarInfo


def tar_gz(members: Iterable[Member], level: int = 1) -> bytes:
    """Pack members: a name with its content, or a header without one (a link, a device)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                header = tarfile.TarInfo(member[0])
                header.size = len(member[1])
                tar.addfile(header, io.BytesIO(member[1]))
    return gzip.compress(buffer.getvalue(), level, mtime=0)


class LoopbackHub:
    """The files of the two servers, the faults to simulate, and the requests received.

    Attributes:
        files: Content by path in the data set.
        revisions: Commit by branch, tag or commit.
        token: The token that requests must send; None if they need none.
        portal: Whether a login page responds instead of the hub.
        gated: Whether only downloads are refused, as before the terms are accepted.
        listed: Size and SHA-256 to list for a path instead of the true ones.
        drops: Number of bytes after which each of the next downloads is cut; 0 sends no response.
        busy: Number of the next downloads that receive status 503.
        stall: Path and position at which a download waits for ``go``.
        ranges: Whether downloads honour Range.
        requests: Server, path and Range of each request.
        leaked: Whether a token was sent to the server of the bytes.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = dict(files)
        self.revisions = {"main": COMMIT, COMMIT: COMMIT}
        self.token: str | None = None
        self.portal = False
        self.gated = False
        self.listed: dict[str, tuple[int, str]] = {}
        self.drops: list[int] = []
        self.busy = 0
        self.stall: tuple[str, int] | None = None
        self.stalled, self.go = threading.Event(), threading.Event()
        self.ranges = True
        self.requests: list[tuple[str, str, str | None]] = []
        self.leaked = False
        self.pause_s = 0.0
        self._servers = [_Server(handler, self) for handler in (_Hub, _Bytes)]
        self.endpoint, self.bytes_url = (server.url for server in self._servers)

    def downloads(self, path: str) -> list[str | None]:
        """Return the Range of each download of a path."""
        return [
            part
            for server, requested, part in self.requests
            if (server, requested) == ("bytes", path)
        ]

    def stop(self) -> None:
        """Close both servers."""
        self.go.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler], hub: LoopbackHub) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.hub = hub
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: clients are killed on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    name: ClassVar[str]

    def log_message(self, *_: Any) -> None:
        """Log nothing."""

    def note(self, path: str) -> LoopbackHub:
        """Record the request."""
        self.server.hub.requests.append((self.name, path, self.headers.get("Range")))
        return self.server.hub

    def answer(self, status: int, body: Any = None, raw: bool = False, **headers: str) -> None:
        """Send a short response."""
        content = b"" if body is None else (body if raw else json.dumps(body)).encode()
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Hub(_Handler):
    name = "hub"

    def do_GET(self) -> None:
        """Respond like the hub."""
        url = urlsplit(self.path)
        hub, path = self.note(url.path), url.path
        if hub.portal:
            return self.answer(
                200, "<html>Welcome! Please log in to this network.</html>", raw=True
            )
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.answer(401, {"error": "Invalid"}, X_Error_Code="RepoNotFound")
        api = rf"/api/datasets/{REPO}"
        if match := re.fullmatch(rf"{api}(?:/revision/([^/]+))?", path):
            return self._info(unquote(match[1] or "main"))
        if match := re.fullmatch(rf"{api}/tree/([^/]+)/([^/]+)", path):
            return self._tree(unquote(match[1]), unquote(match[2]), parse_qs(url.query))
        if match := re.fullmatch(rf"/datasets/{REPO}/resolve/([^/]+)/(.+)", path):
            return self._resolve(match[1], unquote(match[2]))
        return self.answer(404, {"error": "Not found"}, X_Error_Code="RepoNotFound")

    def _info(self, revision: str) -> None:
        if revision not in self.server.hub.revisions:
            return self.answer(404, {"error": "No"}, X_Error_Code="RevisionNotFound")
        commit = self.server.hub.revisions[revision]
        return self.answer(200, {"id": REPO, "sha": commit, "siblings": []})

    def _tree(self, commit: str, folder: str, query: dict[str, list[str]]) -> None:
        """List one entry per page, so that the client must follow pages, in reverse order."""
        hub = self.server.hub
        paths = sorted((path for path in hub.files if path.startswith(f"{folder}/")), reverse=True)
        if commit not in hub.revisions.values() or not paths:
            return self.answer(404, {"error": "No"}, X_Error_Code="EntryNotFound")
        page = int(query.get("cursor", ["0"])[0])
        more = {}
        if page + 1 < len(paths):
            url = f"{hub.endpoint}{urlsplit(self.path).path}?recursive=true&cursor={page + 1}"
            more = {"Link": f'<{url}>; rel="next"'}
        return self.answer(200, [self._entry(paths[page])], **more)

    def _entry(self, path: str) -> dict[str, Any]:
        hub = self.server.hub
        content = hub.files[path]
        actual = (len(content), hashlib.sha256(content).hexdigest())
        size, oid = hub.listed.get(path, actual)
        entry = {"type": "file", "path": path, "size": size, "oid": "0" * 40}
        return entry | ({"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if oid else {})

    def _resolve(self, commit: str, path: str) -> None:
        hub = self.server.hub
        if hub.gated:
            return self.answer(403, {"error": "Ask for access"}, X_Error_Code="GatedRepo")
        if commit not in hub.revisions.values() or path not in hub.files:
            return self.answer(404, {"error": "No"}, X_Error_Code="EntryNotFound")
        return self.answer(302, Location=f"{hub.bytes_url}/{path}", X_Repo_Commit=commit)


class _Bytes(_Handler):
    name = "bytes"

    def do_GET(self) -> None:
        """Send a file, cut short if requested."""
        path = self.path.lstrip("/")
        hub = self.note(path)
        hub.leaked |= "Authorization" in self.headers
        if hub.busy:
            hub.busy -= 1
            return self.answer(503)
        start = int(re.findall(r"\d+", self.headers.get("Range") or "0")[0]) if hub.ranges else 0
        content = hub.files[path][start:]
        if start and not content:
            return self.answer(416, Content_Range=f"bytes */{start}")
        squeeze = "gzip" in self.headers.get("Accept-Encoding", "")  # as some servers do
        content = gzip.compress(content) if squeeze else content
        ends = hub.drops.pop(0) if hub.drops else len(content)
        if ends:
            self.send_response(206 if start else 200)
            self.send_header("Content-Encoding", "gzip" if squeeze else "identity")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self._send(hub, path, content[:ends])
        self.close_connection = True
        return None

    def _send(self, hub: LoopbackHub, path: str, content: bytes) -> None:
        if hub.stall and hub.stall[0] == path:
            self.wfile.write(content[: hub.stall[1]])
            hub.stalled.set()
            hub.go.wait(60)
            content = content[hub.stall[1] :]
        for first in range(0, len(content), 1 << 16):
            time.sleep(hub.pause_s)
            self.wfile.write(content[first : first + (1 << 16)])


def pack_archives(folder: Path) -> dict[str, bytes]:
    """Pack a twin's tiles like the data set: two archives per orbit, which hold other regions too."""
    files = {}
    for modality in ("s1asc", "s1dsc"):
        tiles = sorted((folder / modality).glob("*.nc"))
        for part in (1, 2):
            own: list[Member] = [
                (f"./{modality}/{t.name}", t.read_bytes()) for t in tiles[part - 1 :: 2]
            ]
            other = (f"./{modality}/italy_{modality}_{part}.nc", b"another region" * 1000)
            files[f"data_harmonized/{modality}/part0{part}.tar.gz"] = tar_gz([other, *own])
    return files


def main() -> None:
    """Serve until interrupted; the first two downloads are cut in the middle."""
    hub = LoopbackHub(pack_archives(Path(sys.argv[1])))
    size = min(map(len, hub.files.values()))
    hub.drops, hub.pause_s = [size // 2, size // 4], 0.01
    print(f"HF_ENDPOINT={hub.endpoint}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
