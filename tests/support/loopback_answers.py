"""Requests and answers of the web server on the loopback interface, and the parts of files that requests ask for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Asked:
    """A request: `host` is empty where the server itself was asked; `first` and `last` are the bytes asked for."""

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    first: int | None = None
    last: int | None = None
    time_s: float = 0.0

    @property
    def address(self) -> str:
        """Host and path, such as ``127.0.0.1/assets/a.tif``."""
        return f"{self.host or '127.0.0.1'}{self.path}"


@dataclass
class Answer:
    """A response; a file's content is sent in the ranges that the client asks for."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = False


def read_range(text: str | None) -> tuple[int | None, int | None]:
    """Return the first and last byte asked for; the first is negative where the end of a file is wanted."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", text or "")
    if not match or match[0] == "bytes=-":
        return None, None
    if not match[1]:
        return -int(match[2]), None
    return int(match[1]), int(match[2]) if match[2] else None


def cut_range(content: bytes, asked: Asked, headers: dict[str, str]) -> tuple[int, bytes]:
    """Return the status and the part of a file that was asked for."""
    size, first = len(content), asked.first or 0
    first = max(size + first, 0) if first < 0 else first
    last = size - 1 if asked.last is None else min(asked.last, size - 1)
    if first > last:
        headers["Content-Range"] = f"bytes */{size}"
        return 416, b""
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return 206, content[first : last + 1]
