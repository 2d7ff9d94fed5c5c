"""Words of error messages: the answer to an unknown name, and what another error said."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

from data.io.safe_json import show_value

_COMPARED = 200  # characters of a name


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> str:
    """Say that *name* is no *kind*, with the nearest one and the whole list.

    Args:
        kind: What was asked for, such as ``split``.
        name: The name got.
        choices: Every name that exists.

    Returns:
        One sentence for an error message.
    """
    known = list(choices)
    near = get_close_matches(str(name)[:_COMPARED], known, n=1, cutoff=0.4)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    return f"Unknown {kind} {show_value(name)}.{guess} Available: {', '.join(known)}."


def format_error(error: BaseException) -> str:
    """Return the first line of an error's text, its class where it has none; without passwords."""
    return hide_password(str(error).splitlines()[0]) if str(error) else type(error).__name__


def hide_password(text: str, instead: str = "") -> str:
    """Return text whose addresses have *instead* of the user and the password in them, so that it may be shown."""
    return re.sub(r"//[^/@\s]*@", f"//{instead}", text)
