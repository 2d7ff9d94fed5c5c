"""Names of foreign rows.

The key ``foreign:NAME`` stands where the key of a network or baseline stands in runs; tables and figures show the title
``NAME (foreign)``, so that no row passes for one of the campaign's own.
"""

import re

from data.io.safe_json import RefusedError, show_value

FOREIGN, OWN = "foreign", "own"  # in the column ``origin`` of tables, and in the tag of runs
NOT_STATED = "not stated"
MAX_NAME = 40  # characters
_PREFIX = f"{FOREIGN}:"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME - 1}}}")


def check_foreign_name(name: str) -> str:
    """Return a name for foreign predictions after a check: files of the report have it too.

    Raises:
        RefusedError: If it could lead out of its folder, or is too long.
    """
    if not _NAME.fullmatch(name):
        raise RefusedError(
            f"A name for foreign predictions must have at most {MAX_NAME} letters, digits, '.', '_' and '-', but got "
            f"{show_value(name)}. Choose another that starts with a letter or a digit."
        )
    return name


def foreign_key(name: str) -> str:
    """Return the key of foreign predictions; raise RefusedError for a malformed name."""
    return f"{_PREFIX}{check_foreign_name(name)}"


def is_foreign(key: object) -> bool:
    """Return whether *key* is that of foreign predictions."""
    return (
        isinstance(key, str)
        and key.startswith(_PREFIX)
        and _NAME.fullmatch(key.removeprefix(_PREFIX)) is not None
    )


def foreign_title(key: str) -> str:
    """Return the name of foreign predictions in tables, such as ``prithvi (foreign)``."""
    return f"{key.removeprefix(_PREFIX)} ({FOREIGN})"


def name_origin(key: str) -> str:
    """Return the origin of the row of a key: ``own`` for what a campaign trained or measured itself, else ``foreign``."""
    return FOREIGN if is_foreign(key) else OWN
