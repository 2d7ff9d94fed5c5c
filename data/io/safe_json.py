"""Read JSON files and names from outside: size-limited before, validated after they are read.

`data.io.safe_arrays` does the same for arrays, `data.io.safe_checkpoint` for checkpoints.
"""

import json
import re
from pathlib import Path
from typing import Any

# The largest JSON of this project, the manifest of a pack of 290 tiles, has 0.1 MB. Parsed JSON takes up to thirty
# times its size in memory.
MAX_JSON_BYTES = 2**23
MAX_NAME_CHARS = 100
NAME_RULE = f"at most {MAX_NAME_CHARS} letters, digits, '.', '_' and '-'"

_SHOWN_CHARS = 200
_NAME = re.compile(rf"\w[\w.-]{{0,{MAX_NAME_CHARS - 1}}}", re.ASCII)
_REMEDY = "Get the file again from its source."


class RefusedError(ValueError):
    """A file or name that this project does not write."""


def show_value(value: object) -> str:
    """Return a value's ``repr``, shortened; control characters are escaped, so it is safe in a message."""
    text = repr(value[: 2 * _SHOWN_CHARS] if isinstance(value, str | bytes | list) else value)
    return _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def refused_error(rule: str, got: object, place: Path | str, remedy: str = _REMEDY) -> RefusedError:
    """Return the error for a broken rule, with the value got, shortened, the place and the remedy."""
    return RefusedError(f"{rule}, but got {_shorten(str(got))} in {place}. {remedy}")


def is_safe_name(text: object) -> bool:
    """Return whether a text is safe as a file name: ``NAME_RULE``, without '.' or '-' at the start."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def check_safe_name(kind: str, text: object) -> str:
    """Return a text that is safe as the name of a file or folder.

    Args:
        kind: What it names, such as ``campaign``.
        text: The name.

    Raises:
        RefusedError: If the name could lead out of its folder.
    """
    if not is_safe_name(text):
        remedy = "Choose another that starts with a letter or a digit."
        raise RefusedError(
            f"A {kind}'s name must have {NAME_RULE}, but got {show_value(text)}. {remedy}"
        )
    return str(text)


def check_file_size(path: Path, max_bytes: int) -> None:
    """Check that a path is a regular file of at most *max_bytes*.

    Raises:
        RefusedError: If it is larger, or not a regular file.
        OSError: If there is no such file.
    """
    size = path.stat().st_size
    if not path.is_file():  # reading a pipe or a device would never end
        raise refused_error("The path must be a regular file", "another type", path)
    if size > max_bytes:
        raise refused_error(f"The file must have at most {max_bytes:,} bytes", f"{size:,}", path)


def read_text(path: Path, max_bytes: int = MAX_JSON_BYTES) -> str:
    """Read a UTF-8 file of at most *max_bytes*.

    Raises:
        RefusedError: If it is larger, or not UTF-8.
        OSError: If it cannot be read.
    """
    check_file_size(path, max_bytes)
    with path.open("rb") as file:
        content = file.read(max_bytes)
    try:
        return content.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        raise refused_error("The file must be UTF-8 text", error, path) from error


def parse_json(text: str, place: Path | str, **options: Any) -> Any:
    """Parse JSON of any type.

    Args:
        text: The JSON.
        place: Its origin, for the message.
        **options: For ``json.loads``.

    Raises:
        RefusedError: If it is invalid or nested too deeply.
    """
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise refused_error("JSON must not be nested deeply", "too many levels", place) from error
    except ValueError as error:
        raise refused_error("The text must be JSON", error, place) from error


def parse_object(text: str, place: Path | str) -> dict[str, Any]:
    """Parse a JSON object; raise RefusedError if it is invalid, nested too deeply or of another type."""
    content = parse_json(text, place)
    if not isinstance(content, dict):
        raise refused_error("The JSON must be an object", f"a {type(content).__name__}", place)
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of at most ``MAX_JSON_BYTES``.

    Raises:
        RefusedError: If the file is too large, invalid or nested too deeply, or its JSON is not an object.
        OSError: If it cannot be read.
    """
    return parse_object(read_text(path), path)


def is_string_map(content: object) -> bool:
    """Return whether parsed JSON is an object whose values are all strings."""
    return isinstance(content, dict) and all(isinstance(value, str) for value in content.values())


def is_number(value: object, low: float, high: float, *, whole: bool = False) -> bool:
    """Return whether parsed JSON is a number from *low* to *high*; bool and NaN are none."""
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
