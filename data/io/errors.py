"""Texts of messages: an unknown name, the first of many names, the first line of another error, an address without its password."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

from data.io.safe_json import show_value

_COMPARED_CHARS = 200
# A parameter of an address whose name stands for a key, its name and its value.
_KEY = re.compile(
    r"([?&][^=&\s]*(?:key|secret|token|password|credential|sig)[^=&\s]*=)[^&\s]+", re.IGNORECASE
)


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return the message for an unknown name, with the closest match and all valid names.

    Args:
        kind: What the name stands for, such as ``split``.
        name: The unknown name.
        choices: All valid names.
    """
    names = list(choices)
    matches = get_close_matches(str(name)[:_COMPARED_CHARS], names, n=1, cutoff=0.4)
    hint = f" Did you mean {matches[0]!r}?" if matches else ""
    return f"Unknown {kind} {show_value(name)}.{hint} Available: {', '.join(names)}."


def list_first(names: Sequence[str], shown: int) -> str:
    """Return the first names of a list for a message, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def check_no_keys(uri: str) -> str:
    """Return the URI of a storage that holds no keys: it is saved with a campaign, logged, and sent to every node.

    Raises:
        ValueError: If it holds keys; they are not shown.
    """
    if "://" in uri and (_KEY.search(uri) or re.search(r"://[^/@]*:[^/@]*@", uri)):
        raise ValueError(
            f"--storage must hold no keys, since it is saved and logged, but got some in {hide_password(uri)}. Take them "
            "out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or those of your store) on every node."
        )
    return uri


def check_database_path(file: Path) -> None:
    """Check that a path means the same in the address of a database, where ``?`` and ``%20`` mean something else.

    Raises:
        ValueError: If it does not; the database would be made elsewhere.
    """
    if re.search(r"\?|%[0-9a-fA-F]{2}", str(file)):
        raise ValueError(
            "An output folder's path must have no '?', and no '%' before two hexadecimal digits, since they mean something "
            f"else in the address of its database, but got {file.parent}. Rename it, or choose another with --root."
        )


def format_error(error: BaseException) -> str:
    """Return the first line of an error's text without passwords, or its class if it has no text.

    An error of the system is its reason and its file, without the number.
    """
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        place = "" if error.filename is None else f": {error.filename!s}"
        return hide_password(f"{error.strerror}{place}")
    return hide_password(str(error).splitlines()[0]) if str(error) else type(error).__name__


def hide_password(text: str, replacement: str = "") -> str:
    """Replace the user and password in the addresses of a text by *replacement*, and the values of keys by ``***``."""
    text = re.sub(r"//[^/@\s]*@", f"//{replacement}", text)
    return _KEY.sub(r"\1***", text)
