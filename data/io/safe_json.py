"""JSON files and names that somebody else may have written: measured before they are read, checked after.

`data.io.safe_arrays` does the same for arrays, `data.io.safe_checkpoint` for checkpoints.
"""

import json
import re
from pathlib import Path
from typing import Any

# The largest JSON of this project, the manifest of a pack of 290 tiles, has 0.1 MB. Parsed, JSON takes up to thirty
# times its size.
MOST_JSON_BYTES = 2**23
MOST_NAME_CHARS = 100
NAME_RULE = f"at most {MOST_NAME_CHARS} letters, digits, '.', '_' and '-'"

_SHOWN_CHARS = 200
_NAME = re.compile(rf"\w[\w.-]{{0,{MOST_NAME_CHARS - 1}}}", re.ASCII)
_RENEW = "Get the file again from where it was made."


class RefusedError(ValueError):
    """A file or a name that is not what this project writes."""


def show_value(value: object) -> str:
    """Return a value for a message: as Python writes it, so that no character of it acts, and cut short."""
    text = repr(value[: 2 * _SHOWN_CHARS] if isinstance(value, str | bytes | list) else value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def refused_error(rule: str, got: object, place: Path | str, remedy: str = _RENEW) -> RefusedError:
    """Make the error of a broken rule; what was got is cut short."""
    text = str(got)
    text = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    return RefusedError(f"{rule}, but got {text} in {place}. {remedy}")


def is_safe_name(text: object) -> bool:
    """Tell whether a text may become the name of a file: ``NAME_RULE``, and neither '.' nor '-' first."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def check_safe_name(kind: str, text: object) -> str:
    """Return a text that may become the name of a file or folder.

    Args:
        kind: What it names, such as ``campaign``.
        text: The text got.

    Raises:
        RefusedError: If it might leave its folder.
    """
    if not is_safe_name(text):
        remedy = "Choose another, with a letter or a digit first."
        raise RefusedError(f"A {kind}'s name has {NAME_RULE}, but got {show_value(text)}. {remedy}")
    return str(text)


def get_file_size(path: Path, most: int) -> int:
    """Return a plain file's size in bytes.

    Raises:
        RefusedError: If it is larger than *most*, or no plain file.
        OSError: If there is no such file.
    """
    size = path.stat().st_size
    if not path.is_file():  # a pipe or a device would never end
        raise refused_error("The file must be a plain one", "another", path)
    if size > most:
        raise refused_error(f"The file must have at most {most:,} bytes", f"{size:,}", path)
    return size


def read_text(path: Path, most: int = MOST_JSON_BYTES) -> str:
    """Read a UTF-8 file of at most *most* bytes, whose size is looked at before.

    Raises:
        RefusedError: If it is larger, or no UTF-8.
        OSError: If it cannot be read.
    """
    get_file_size(path, most)
    with path.open("rb") as file:
        content = file.read(most)
    try:
        return content.decode("utf-8-sig")  # spreadsheets put a mark at the start
    except UnicodeDecodeError as error:
        raise refused_error("The file must be readable text", error, path) from error


def parse_json(text: str, place: Path | str, **options: Any) -> Any:
    """Parse JSON of any type.

    Args:
        text: At most ``MOST_JSON_BYTES`` characters.
        place: Where it stands, for the message.
        **options: For ``json.loads``.

    Raises:
        RefusedError: If it is too long, nested too deeply, or no JSON.
    """
    if len(text) > MOST_JSON_BYTES:
        raise refused_error(
            f"JSON must have at most {MOST_JSON_BYTES:,} bytes", f"{len(text):,}", place
        )
    try:
        return json.loads(text, **options)
    except RecursionError as error:
        raise refused_error("JSON must not be nested deeply", "too many levels", place) from error
    except ValueError as error:
        raise refused_error("The file must be JSON", error, place) from error


def parse_object(text: str, place: Path | str) -> dict[str, Any]:
    """Parse a JSON object; raise RefusedError if it is too long, nested too deeply, or something else."""
    content = parse_json(text, place)
    if not isinstance(content, dict):
        raise refused_error("The JSON must be an object", f"a {type(content).__name__}", place)
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object of at most ``MOST_JSON_BYTES``.

    Raises:
        RefusedError: If the file is too large, no JSON, nested too deeply, or its JSON is no object.
        OSError: If it cannot be read.
    """
    return parse_object(read_text(path), path)


def is_string_map(content: object) -> bool:
    """Tell whether parsed JSON is an object whose values are all texts."""
    return isinstance(content, dict) and all(isinstance(value, str) for value in content.values())


def is_number(value: object, low: float, high: float, *, whole: bool = False) -> bool:
    """Tell whether parsed JSON is a number from *low* to *high*, no bool and no NaN."""
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
