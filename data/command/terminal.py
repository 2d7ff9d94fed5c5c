"""Output that no terminal can break on: characters that its encoding lacks, and control characters from names, tags and servers.

Names of files, tags of runs and answers of servers are printed as they come. A terminal obeys the control characters in
them: they can clear the screen, set its title, or hide a part of a line.
"""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

# Control characters of ASCII and Latin-1, and those that change the direction of writing; all but tab and line feed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def escape_controls(text: str, allowed: str = "") -> str:
    r"""Write a text's control characters as Python does, such as ``\x1b``; keep tabs, line feeds and those allowed."""

    def escape(found: re.Match[str]) -> str:
        char = found[0]
        return char if char in allowed else char.encode("unicode_escape").decode("ascii")

    return _CONTROLS.sub(escape, text)


class SafeStream(io.TextIOBase):
    r"""A text stream before another one that escapes what the terminal would obey, or its encoding lacks.

    Args:
        stream: The stream to write to.
        allowed: Control characters that pass, such as the ``\r`` of progress bars.
        required: Whether a failure to write is raised; messages on stderr have nowhere else to go.
    """

    def __init__(self, stream: TextIO, allowed: str = "", *, required: bool = True) -> None:
        self._stream, self._allowed, self._required = stream, allowed, required
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        shown = escape_controls(text, self._allowed)
        try:
            self._stream.write(shown)
        except UnicodeEncodeError:  # a stream that cannot be configured
            self._stream.write(shown.encode("ascii", "backslashreplace").decode("ascii"))
        except OSError:
            if self._required:
                raise
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            if self._required:
                raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's file descriptor."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return that the stream can be written."""
        return True


@contextmanager
def safe_output() -> Iterator[None]:
    """Escape what is printed to stdout and stderr."""
    if isinstance(sys.stdout, SafeStream):
        yield
        return
    out = cast(TextIO, SafeStream(sys.stdout))
    messages = cast(TextIO, SafeStream(sys.stderr, "\r", required=False))
    with redirect_stdout(out), redirect_stderr(messages):
        yield
